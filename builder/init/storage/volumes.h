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
#include "builder/init/storage/assembler.h"
#include "builder/init/storage/lvm.h"
#include "builder/init/text.h"

namespace kdinit {

// One that is too much is a problem that is told, and no overflow.
inline constexpr std::size_t kMaxDisks = 256;

// What one scan has seen. Some 650 KiB, all zero at first: a static one takes only the pages that
// are used.
struct VolumesMemory {
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

  struct Pool {
    std::array<char, 24> number{};  // as Disk::number
    std::array<char, 128> path{};   // of the disk with its metadata, and where they begin
    std::uint64_t offset = 0;
    lvm::ThinPool settings;  // without the name
    std::uint64_t room = 0;  // see thin::room()
  };

  std::array<Disk, kMaxDisks> disks{};
  std::size_t disk_count = 0;
  bool too_many_disks = false;
  std::array<Newest, kMaxLayers> newest{};
  List<Pool, kMaxLayers> pools;  // that were made
  lvm::Volume volume;
  std::array<std::array<char, 24>, lvm::kMaxDevices> numbers{};  // of its devices, as Disk::number
  std::array<char, lvm::kMaxTextBytes> text{};
  alignas(dm_ioctl) std::array<char, std::size_t{96} << 10> table{};
};

// Not patient, a volume needs no other disks of its group than those it lies on, and of a raid1
// those of one leg; the one that is not there might have newer metadata.
class Volumes final : public Assembler {
 public:
  constexpr explicit Volumes(VolumesMemory& memory) : memory_(memory) {}
  void begin(std::span<const Layer> layers) override;
  std::string_view add(const SeenDevice& device, BlockReader& reader) override;
  [[nodiscard]] bool is_active(std::size_t layer, const DeviceDirectories& directories) override;
  bool make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
            TextBuffer& problem) override;
  [[nodiscard]] std::uint64_t room(const DeviceDirectories& directories,
                                   std::string_view device) override;

 private:
  using Disk = VolumesMemory::Disk;
  using Newest = VolumesMemory::Newest;

  bool read_newest(const Newest& newest, std::string_view& text);
  bool is_complete(bool patient, TextBuffer& problem);
  [[nodiscard]] const Disk* find(const lvm::Id& id, const Disk* after = nullptr) const;
  void put_striped(const lvm::Segment& segment, TextBuffer& parameters) const;
  void put_raid1(const lvm::Segment& segment, TextBuffer& parameters) const;
  void put_thin_pool(const lvm::Segment& segment, TextBuffer& parameters) const;
  void put_target(const lvm::Segment& segment, DeviceTable& table) const;
  bool find_pool(DeviceMapper& mapper);
  bool check_pool(VolumesMemory::Pool& pool, TextBuffer& problem);
  int make_device_of(std::size_t index, DeviceMapper& mapper);
  int make_devices(DeviceMapper& mapper, std::size_t first);
  void finish_raid1(std::string_view name, DeviceMapper& mapper, TextBuffer& made);

  VolumesMemory& memory_;
  std::span<const Layer> layers_;
};

}  // namespace kdinit
