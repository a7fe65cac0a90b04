// SPDX-License-Identifier: GPL-2.0-or-later
//
// Logical volumes of the configuration, made of the physical volumes that one scan has seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/storage/block_reader.h"
#include "builder/init/storage/device_mapper.h"
#include "builder/init/storage/lvm.h"
#include "builder/init/text.h"

namespace kdinit {

// A block device as a scan sees it.
struct SeenDevice {
  std::string_view path;    // "/dev/sda1"
  std::string_view number;  // "8:1"
};

// One that is too much is a problem that is told, and no overflow.
inline constexpr std::size_t kMaxDisks = 256;

// Some 650 KiB, all zero at first: a static one takes only the pages that are used.
class Volumes {
 public:
  // Forgets the disks of the last scan. `layers` stays the caller's.
  void begin(std::span<const Layer> layers);
  // A device with the label of LVM.
  void add(const SeenDevice& device, BlockReader& reader);
  // Makes layers[layer] by the newest metadata that was seen. True when there is a new device,
  // which `made` tells; else `problem` does, which another disk may still solve. `whole_group`: not
  // before all disks of the group are there, because the one that is not might have newer metadata.
  bool make(std::size_t layer, bool whole_group, DeviceMapper& mapper, TextBuffer& made,
            TextBuffer& problem);

 private:
  struct Disk {
    lvm::Label label;
    char path[128] = {};
    char number[24] = {};
  };
  struct Newest {
    bool known = false;
    std::uint64_t seqno = 0;
    std::uint32_t disk = 0, area = 0;
  };

  bool read_newest(const Newest& newest, std::string_view& text);
  bool is_complete(bool whole_group, TextBuffer& problem) const;
  [[nodiscard]] const Disk* find(const lvm::Id& id, const Disk* after = nullptr) const;
  void put_target(const lvm::Segment& segment, DeviceTable& table) const;

  std::span<const Layer> layers_;
  std::array<Disk, kMaxDisks> disks_{};
  std::size_t disk_count_ = 0;
  bool too_many_disks_ = false;
  std::array<Newest, kMaxLayers> newest_{};
  lvm::Volume volume_;
  std::array<char, lvm::kMaxTextBytes> text_{};
  alignas(dm_ioctl) std::array<char, std::size_t{96} << 10> table_{};
};

}  // namespace kdinit
