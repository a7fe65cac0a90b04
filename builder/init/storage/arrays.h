// SPDX-License-Identifier: GPL-2.0-or-later
//
// Arrays of md of the configuration, started with the members that one scan has seen.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/storage/array_driver.h"
#include "builder/init/storage/assembler.h"
#include "builder/init/storage/md.h"
#include "builder/init/text.h"

namespace kdinit {

// What one scan has seen. Some 90 KiB, all zero at first.
struct ArraysMemory {
  static constexpr std::size_t kMaxDisks = 256;
  std::array<md::Superblock, kMaxDisks> superblocks{};
  std::array<DeviceNumber, kMaxDisks> devices{};
  std::size_t count = 0;
  bool too_many_disks = false;
};

// An array is called by the index of its layer: "md0" is that of the first one.
class Arrays final : public Assembler {
 public:
  constexpr explicit Arrays(ArraysMemory& memory) : memory_(memory) {}
  void begin(std::span<const Layer> layers) override;
  // A partition of a disk that is a member is told as one: before the array is started, what lies
  // in the array seems to lie on the disk.
  std::string_view add(const SeenDevice& device, BlockReader& reader) override;
  [[nodiscard]] bool is_active(std::size_t layer, const DeviceDirectories& directories) override;
  bool make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
            TextBuffer& problem) override;

 private:
  [[nodiscard]] bool is_wanted(const md::Uuid& array) const;
  [[nodiscard]] bool holds_partition(const SeenDevice& partition) const;
  void take(const md::Superblock& superblock, std::string_view number);

  ArraysMemory& memory_;
  std::span<const Layer> layers_;
};

}  // namespace kdinit
