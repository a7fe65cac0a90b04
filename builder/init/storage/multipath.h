// SPDX-License-Identifier: GPL-2.0-or-later
//
// Disks that are reached by several paths: the kernel's dm-multipath goes on with another path when
// one fails, without multipathd, which only brings failed ones back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/storage/assembler.h"
#include "builder/init/storage/multipath_id.h"
#include "builder/init/text.h"

namespace kdinit {

inline constexpr std::string_view kMultipathMember = "mpath_member";

// What one scan has seen. All zero at first.
struct MultipathMemory {
  struct DiskPath {
    std::uint64_t digest = 0;   // of its identity
    std::uint32_t rank = 0;     // the lower the better; from kUnreadable on it cannot be read now
    std::uint64_t sectors = 0;  // of 512 bytes
    std::uint64_t content = 0;  // paths of one disk have the same
    char name[24] = {};         // of the device, "sda"
    char number[24] = {};       // "8:0"
    char wwid_name[128] = {};   // see multipath::put_name(), empty when there is none
  };
  static constexpr std::uint32_t kUnreadable = 4;
  // As the kernel has found it on a path: it does not look for partitions on mapped devices.
  struct Partition {
    std::uint64_t digest = 0;  // of the disk
    std::uint64_t number = 0, start = 0, sectors = 0;
    char wwid_name[128] = {};
  };
  struct Disk {  // the multipath device
    std::uint64_t digest = 0;
    char number[24] = {};
  };
  std::array<DiskPath, 32> paths{};
  std::size_t path_count = 0;
  bool too_many = false;
  List<Partition, kMaxLayers> partitions;
  List<Disk, kMaxLayers> disks;
  alignas(dm_ioctl) std::array<char, std::size_t{4} << 10> table{};
};

// Patient, a disk waits for all paths that the running system had; else for one. When something has
// the identity of the disk and another content or size, it is a clone, and nothing is made.
class Multipath final : public Assembler {
 public:
  constexpr explicit Multipath(MultipathMemory& memory) : memory_(memory) {}
  void begin(std::span<const Layer> layers) override;
  std::string_view add(const SeenDevice& device, BlockReader& reader) override;
  [[nodiscard]] bool is_active(std::size_t layer, const DeviceDirectories& directories) override;
  bool make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
            TextBuffer& problem) override;

 private:
  using DiskPath = MultipathMemory::DiskPath;

  // Whether a layer is this partition of the disk, 0: the disk.
  [[nodiscard]] bool is_wanted(std::uint64_t digest, std::uint64_t partition) const;
  void add_path(const SeenDevice& device, std::string_view wwid, BlockReader& reader);
  // The paths of a disk, the best first.
  std::span<const DiskPath> paths_of(std::uint64_t digest);
  bool make_disk(const multipath::Line& line, bool patient, LayerDrivers& drivers, TextBuffer& made,
                 TextBuffer& problem);
  bool make_partition(const multipath::Line& line, LayerDrivers& drivers, TextBuffer& made,
                      TextBuffer& problem);
  bool create(std::string_view name, std::string_view uuid, std::uint64_t sectors,
              std::string_view type, std::string_view parameters, LayerDrivers& drivers,
              TextBuffer& made, TextBuffer& problem);

  MultipathMemory& memory_;
  std::span<const Layer> layers_;
};

}  // namespace kdinit
