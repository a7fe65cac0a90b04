// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/volumes.h"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/storage/container.h"
#include "builder/init/storage/lvm_pool.h"
#include "builder/init/storage/sysfs.h"
#include "builder/init/storage/thin_pool.h"

namespace kdinit {
namespace {

std::string_view group_of(const Layer& layer) { return layer.parameters; }

}  // namespace

void Volumes::begin(std::span<const Layer> layers) {
  layers_ = layers;
  memory_.disk_count = 0;
  memory_.too_many_disks = false;
  memory_.newest = {};
}

std::string_view Volumes::add(const SeenDevice& device, BlockReader& reader) {
  if (device.container != kLvmMember) return {};
  if (memory_.disk_count == memory_.disks.size() || device.path.size() >= sizeof Disk::path ||
      device.number.size() >= sizeof Disk::number) {
    memory_.too_many_disks = true;
    return kLvmMember;
  }
  Disk& disk = memory_.disks[memory_.disk_count];
  disk = {};
  if (lvm::read_label(reader, disk.label) != lvm::LabelState::kFound) return kLvmMember;
  device.path.copy(disk.path, device.path.size());
  device.number.copy(disk.number, device.number.size());
  for (std::uint32_t area = 0; area < disk.label.areas.count; ++area) {
    std::string_view text;
    lvm::Summary summary;
    if (lvm::read_text(reader, disk.label.areas.items[area], memory_.text, text) !=
            lvm::TextState::kValid ||
        !lvm::read_summary(text, summary)) {
      continue;
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      lvm::Id group;
      Newest& newest = memory_.newest[i];
      if (!lvm::parse_id(group_of(layers_[i]), group) || group != summary.group) continue;
      if (newest.known && newest.seqno >= summary.seqno) continue;
      newest = {true, summary.seqno, static_cast<std::uint32_t>(memory_.disk_count), area};
    }
  }
  ++memory_.disk_count;
  return kLvmMember;
}

bool Volumes::is_active(std::size_t layer, const DeviceDirectories& directories) {
  lvm::Id group, volume;
  if (!lvm::parse_id(group_of(layers_[layer]), group) ||
      !lvm::parse_id(layers_[layer].id, volume)) {
    return false;
  }
  Text<DM_UUID_LEN> uuid;
  lvm::put_dm_uuid(group, volume, uuid);
  return has_mapped_device(directories, uuid.view());
}

bool Volumes::read_newest(const Newest& newest, std::string_view& text) {
  const Disk& disk = memory_.disks[newest.disk];
  const kd::Fd fd(::open(disk.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  FileReader reader(fd.get());
  return lvm::read_text(reader, disk.label.areas.items[newest.area], memory_.text, text) ==
         lvm::TextState::kValid;
}

const Volumes::Disk* Volumes::find(const lvm::Id& id, const Disk* after) const {
  const Disk* end = memory_.disks.data() + memory_.disk_count;
  const Disk* found =
      std::find_if(after != nullptr ? after + 1 : memory_.disks.data(), end,
                   [&id](const Disk& disk) { return disk.label.physical_volume == id; });
  return found == end ? nullptr : found;
}

bool Volumes::is_complete(bool patient, TextBuffer& problem) {
  const lvm::PhysicalVolume* absent = nullptr;
  for (std::size_t i = 0; i < memory_.volume.physical_volumes.count; ++i) {
    lvm::PhysicalVolume& physical = memory_.volume.physical_volumes.items[i];
    const Disk* disk = find(physical.id);
    // What is on one that lvm went on without is old.
    physical.present = disk != nullptr && !physical.missing;
    if (disk == nullptr && !physical.missing && (physical.needed || patient)) absent = &physical;
    if (disk == nullptr || !physical.needed) continue;
    // A clone, or a second path: writing to the wrong one would be silent.
    if (const Disk* other = find(physical.id, disk)) {
      problem.put(disk->path, " and ", other->path, " are both its physical volume ");
      lvm::put_id(physical.id, problem);
      return false;
    }
  }
  const bool usable = lvm::mark_missing(memory_.volume);
  if (usable && (absent == nullptr || !patient)) return true;
  problem.put("its physical volume ");
  if (absent != nullptr) lvm::put_id(absent->id, problem);
  problem.put(" is missing");
  return false;
}

// "DEVICE SECTOR", or for stripes "COUNT CHUNK DEVICE SECTOR DEVICE SECTOR ...".
void Volumes::put_striped(const lvm::Segment& segment, TextBuffer& parameters) const {
  if (segment.stripe_count > 1) {
    parameters.put(segment.stripe_count, ' ', segment.stripe_size, ' ');
  }
  const char* separator = "";
  for (const lvm::Stripe& stripe : stripes_of(memory_.volume, segment)) {
    const Disk* disk = find(memory_.volume.physical_volumes.items[stripe.below].id);
    parameters.put(separator, disk->number, ' ', stripe.start);
    separator = " ";
  }
}

// "raid1 ARGUMENTS CHUNK region_size SECTORS LEGS METADATA DATA METADATA DATA ...", where "- -" is
// a leg that is missing.
void Volumes::put_raid1(const lvm::Segment& segment, TextBuffer& parameters) const {
  parameters.put("raid1 3 0 region_size ", segment.stripe_size, ' ', segment.stripe_count / 2);
  const std::span<const lvm::Stripe> stripes = stripes_of(memory_.volume, segment);
  for (std::size_t i = 0; i < stripes.size(); i += 2) {
    const bool there = has_leg(memory_.volume, stripes[i], stripes[i + 1]);
    for (const lvm::Stripe& stripe : stripes.subspan(i, 2)) {
      parameters.put(' ', there ? memory_.numbers[stripe.below].data() : "-");
    }
  }
}

// "METADATA DATA CHUNK MARK FEATURES FEATURE...", where there is nobody to be told that no more
// than MARK chunks are left. Without error_if_no_space a write to a full pool waits a minute for a
// larger one.
void Volumes::put_thin_pool(const lvm::Segment& segment, TextBuffer& parameters) const {
  const lvm::ThinPool& pool = memory_.volume.pool;
  for (const lvm::Stripe& stripe : stripes_of(memory_.volume, segment)) {
    parameters.put(memory_.numbers[stripe.below].data(), ' ');
  }
  const bool passed_down = pool.discards == lvm::Discards::kPassDown;
  parameters.put(pool.chunk, " 0 ", 1 + (pool.zero ? 0 : 1) + (passed_down ? 0 : 1));
  if (!pool.zero) parameters.put(" skip_block_zeroing");
  if (pool.discards == lvm::Discards::kIgnore) parameters.put(" ignore_discard");
  if (pool.discards == lvm::Discards::kNoPassDown) parameters.put(" no_discard_passdown");
  parameters.put(" error_if_no_space");
}

void Volumes::put_target(const lvm::Segment& segment, DeviceTable& table) const {
  static constinit char buffer[kMaxDisks * 48];
  TextBuffer parameters(buffer, sizeof buffer);
  std::string_view type;
  switch (segment.kind) {
    case lvm::SegmentKind::kStriped:
      type = segment.stripe_count > 1 ? "striped" : "linear";
      put_striped(segment, parameters);
      break;
    case lvm::SegmentKind::kRaid1:
      type = "raid";
      put_raid1(segment, parameters);
      break;
    case lvm::SegmentKind::kThinPool:
      type = lvm::kPoolType;
      put_thin_pool(segment, parameters);
      break;
    case lvm::SegmentKind::kThin:
      type = lvm::kThinType;
      parameters.put(memory_.numbers[stripes_of(memory_.volume, segment).front().below].data(), ' ',
                     memory_.volume.pool.volume_id);
      break;
  }
  // Without its last stripes a target would still be one.
  table.add(segment.start, segment.length, parameters.cut() ? std::string_view() : type,
            parameters.view());
}

int Volumes::make_device_of(std::size_t index, DeviceMapper& mapper) {
  const lvm::Volume& volume = memory_.volume;
  const lvm::Device& device = volume.devices.items[index];
  DeviceTable table(memory_.table);
  for (const lvm::Segment& segment : segments_of(volume, device)) put_target(segment, table);
  Text<DM_NAME_LEN + 1> name;
  Text<DM_UUID_LEN> uuid;
  lvm::put_dm_name(volume, device, name);
  lvm::put_dm_uuid(volume.group, device.id, uuid, device.layer);
  if (const int error = make_device(mapper, name.view(), uuid.view(), table)) return error;
  TextBuffer number(memory_.numbers[index].data(), memory_.numbers[index].size());
  return index + 1 == volume.devices.count ? 0 : mapper.put_number(name.view(), number);
}

// Of two volumes in one pool the second one finds it made.
bool Volumes::find_pool(DeviceMapper& mapper) {
  const lvm::Volume& volume = memory_.volume;
  if (volume.pool.name.empty()) return false;
  const std::size_t pool = volume.devices.count - 2;
  Text<DM_NAME_LEN + 1> name;
  lvm::put_dm_name(volume, volume.devices.items[pool], name);
  TextBuffer number(memory_.numbers[pool].data(), memory_.numbers[pool].size());
  // One that could not be taken back is no pool that was checked.
  const auto same = [&number](const VolumesMemory::Pool& known) {
    return number.view() == known.number.data();
  };
  return mapper.put_number(name.view(), number) == 0 &&
         std::any_of(memory_.pools.begin(), memory_.pools.end(), same);
}

bool Volumes::check_pool(VolumesMemory::Pool& pool, TextBuffer& problem) {
  const lvm::Volume& volume = memory_.volume;
  if (volume.pool.name.empty()) return true;
  const auto [physical, offset] = lvm::pool_metadata(volume);
  std::ranges::copy(find(physical.id)->path, pool.path.begin());
  pool.offset = offset;
  pool.settings = volume.pool;
  pool.settings.name = {};  // in a text that is gone
  const kd::Fd fd(::open(pool.path.data(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  FileReader reader(fd.get());
  const lvm::Refusal refusal = thin::check(reader, offset, volume.pool, pool.room);
  if (refusal.refused()) problem.put(refusal.what, ' ', refusal.detail);
  return !refusal.refused();
}

// All or none: to a scan a part without the volume would look like what is on the volume.
int Volumes::make_devices(DeviceMapper& mapper, std::size_t first) {
  const lvm::Volume& volume = memory_.volume;
  int error = 0;
  std::size_t i = first;
  for (; i < volume.devices.count && error == 0; ++i) {
    if (!volume.devices.items[i].missing) error = make_device_of(i, mapper);
  }
  while (error != 0 && i-- > first) {
    Text<DM_NAME_LEN + 1> name;
    lvm::put_dm_name(volume, volume.devices.items[i], name);
    if (!volume.devices.items[i].missing) mapper.remove(name.view());
  }
  return error;
}

bool Volumes::make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
                   TextBuffer& problem) {
  const std::string_view id = layers_[layer].id;
  problem.put("logical volume ", id, ": ");
  lvm::Id volume;
  std::string_view text;
  if (!memory_.newest[layer].known || !read_newest(memory_.newest[layer], text)) {
    problem.put(memory_.too_many_disks ? "there are too many disks"
                                       : "no disk has metadata of its group");
    return false;
  }
  const bool parsed = lvm::parse_id(id, volume);
  const lvm::Refusal refusal = lvm::find_volume(text, volume, memory_.volume);
  if (!parsed || refusal.refused()) {
    problem.put(refusal.what, refusal.detail.empty() ? "" : " ", refusal.detail);
    return false;
  }
  if (!is_complete(patient, problem)) return false;
  Text<DM_NAME_LEN + 1> name;
  lvm::put_dm_name(memory_.volume, memory_.volume.top(), name);
  const bool has_pool = find_pool(drivers.mapper);
  VolumesMemory::Pool pool;
  if (!has_pool && !check_pool(pool, problem)) return false;
  const std::size_t first = has_pool ? memory_.volume.devices.count - 1 : 0;
  if (const int error = make_devices(drivers.mapper, first)) {
    problem.put("cannot make ", name.view(), ": ", ::strerror(error));
    return false;
  }
  problem.clear();
  made.put(name.view());
  if (!has_pool && !memory_.volume.pool.name.empty()) {
    pool.number = memory_.numbers[memory_.volume.devices.count - 2];
    memory_.pools.push(pool);
  }
  finish_raid1(name.view(), drivers.mapper, made);
  return true;
}

namespace {

// A journal that was replayed took of it, which the kernel has written down with the next flush. It
// does so past the cache of the disk.
std::uint64_t room_now(const VolumesMemory::Pool& pool) {
  const kd::Fd fd(::open(pool.path.data(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ::posix_fadvise(fd.get(), static_cast<off_t>(pool.offset), thin::kBlockSize, POSIX_FADV_DONTNEED);
  FileReader reader(fd.get());
  thin::Superblock superblock;
  if (!thin::read_superblock(reader, pool.offset, superblock)) return pool.room;
  return std::min(pool.room, thin::room(superblock, pool.settings));
}

}  // namespace

std::uint64_t Volumes::room(const DeviceDirectories& directories, std::string_view device) {
  std::uint64_t room = kNoLimit;
  for (const VolumesMemory::Pool& pool : memory_.pools) {
    if (lies_on(directories, device, pool.number.data())) room = std::min(room, room_now(pool));
  }
  return room;
}

// The next boot has the time and the memory for a resync. Of one that had begun the kernel keeps
// how far it came; where it takes no such word it goes on, which is no reason to do without.
void Volumes::finish_raid1(std::string_view name, DeviceMapper& mapper, TextBuffer& made) {
  const lvm::Segment& segment = segments_of(memory_.volume, memory_.volume.top()).front();
  if (segment.kind != lvm::SegmentKind::kRaid1) return;
  mapper.message(name, "frozen");
  std::size_t legs = 0;
  const std::span<const lvm::Stripe> stripes = stripes_of(memory_.volume, segment);
  for (std::size_t i = 0; i < stripes.size(); i += 2) {
    legs += has_leg(memory_.volume, stripes[i], stripes[i + 1]);
  }
  made.put(" with ", legs, " of ", stripes.size() / 2, " legs");
}

}  // namespace kdinit
