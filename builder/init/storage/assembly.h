// SPDX-License-Identifier: GPL-2.0-or-later
//
// The layers of the configuration, of all kinds, for a scan.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "builder/init/storage/assembler.h"

namespace kdinit {

class Assembly {
 public:
  virtual void begin(std::span<const Layer> layers) = 0;
  // What the device is a member of, empty when no layer takes it.
  virtual std::string_view add(const SeenDevice& device, BlockReader& reader) = 0;
  // Makes every layer that is complete and not there; the number of new devices. `made` and
  // `problems` are appended to. See Assembler::make().
  virtual unsigned make(const DeviceDirectories& directories, bool patient, TextBuffer& made,
                        TextBuffer& problems) = 0;
  // Bytes that may be written to "/dev/dm-4", where what it is made of has less than it shows.
  [[nodiscard]] virtual std::uint64_t room(std::string_view path) = 0;

 protected:
  ~Assembly() = default;
};

// There is one at a time: what was seen is kept in static memory.
class LayerAssembly final : public Assembly {
 public:
  constexpr explicit LayerAssembly(LayerDrivers drivers) : drivers_(drivers) {}
  void begin(std::span<const Layer> layers) override;
  std::string_view add(const SeenDevice& device, BlockReader& reader) override;
  unsigned make(const DeviceDirectories& directories, bool patient, TextBuffer& made,
                TextBuffer& problems) override;
  [[nodiscard]] std::uint64_t room(std::string_view path) override { return room(path, {}); }
  [[nodiscard]] std::uint64_t room(std::string_view path, const DeviceDirectories& directories);

 private:
  LayerDrivers drivers_;
  std::span<const Layer> layers_;
};

// That of this program: a LayerAssembly with the kernel's drivers, or in an init without layers one
// that makes nothing.
Assembly& kernel_assembly();

}  // namespace kdinit
