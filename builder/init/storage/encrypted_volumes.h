// SPDX-License-Identifier: GPL-2.0-or-later
//
// Volumes of LUKS of the configuration, opened by dm-crypt with a key that somebody else provides.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/storage/assembler.h"
#include "builder/init/storage/luks.h"

namespace kdinit {

// What one scan has seen; all zero at first, see VolumesMemory.
struct EncryptedVolumesMemory {
  struct Found {           // one for each layer
    unsigned devices = 0;  // with its header
    unsigned version = 0;
    const char* problem = nullptr;
    std::uint64_t sectors = 0;
    char target[512] = {};  // the parameters of its table
  };

  std::array<Found, kMaxLayers> found{};
  std::array<char, luks::kMaxJsonBytes> json{};
  alignas(dm_ioctl) std::array<char, 1024> table{};
};

class EncryptedVolumes final : public Assembler {
 public:
  constexpr explicit EncryptedVolumes(EncryptedVolumesMemory& memory) : memory_(memory) {}
  void begin(std::span<const Layer> layers) override;
  std::string_view add(const SeenDevice& device, BlockReader& reader) override;
  [[nodiscard]] bool is_active(std::size_t layer, const DeviceDirectories& directories) override;
  bool make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
            TextBuffer& problem) override;

 private:
  EncryptedVolumesMemory& memory_;
  std::span<const Layer> layers_;
};

}  // namespace kdinit
