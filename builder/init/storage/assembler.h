// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a kind of layer is to a scan. One class for each kind; assembly.cc has the table of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/storage/array_driver.h"
#include "builder/init/storage/block_reader.h"
#include "builder/init/storage/device_mapper.h"
#include "builder/init/storage/sysfs.h"
#include "builder/init/storage/volume_key.h"
#include "builder/init/text.h"

namespace kdinit {

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// A block device as a scan sees it.
struct SeenDevice {
  std::string_view path;       // "/dev/sda1"
  std::string_view number;     // "8:1"
  std::string_view directory;  // "/sys/class/block/sda1"
  std::string_view container;  // see container_on()
};

// What makes devices: the kernel's interfaces.
struct LayerDrivers {
  DeviceMapper& mapper;
  ArrayDriver& arrays;
  VolumeKeys& keys;
};

// For one scan after the other: begin(), add() for each device, then for the layers of this kind
// is_active() and make(). A layer is told by its index in the layers of begin().
class Assembler {
 public:
  // Forgets the devices of the last scan. `layers`, of all kinds, stays the caller's.
  virtual void begin(std::span<const Layer> layers) = 0;
  // What the device is a member of, as blkid has it: nothing else is then looked for on it. Empty
  // when it is none of this kind.
  virtual std::string_view add(const SeenDevice& device, BlockReader& reader) = 0;
  [[nodiscard]] virtual bool is_active(std::size_t layer, const DeviceDirectories& directories) = 0;
  // True when there is a new device, which `made` tells; else `problem` does, which another device
  // may still solve. `patient`: there is time, so all that belong to the layer are waited for and
  // not only those that it cannot do without.
  virtual bool make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
                    TextBuffer& problem) = 0;
  // Bytes that what was made of this kind may still take, below the device of this name.
  [[nodiscard]] virtual std::uint64_t room(const DeviceDirectories& /*directories*/,
                                           std::string_view /*device*/) {
    return kNoLimit;
  }

 protected:
  ~Assembler() = default;
};

}  // namespace kdinit
