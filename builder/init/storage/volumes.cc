// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/volumes.h"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/storage/container.h"
#include "builder/init/storage/sysfs.h"

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

void Volumes::put_target(const lvm::Segment& segment, DeviceTable& table) const {
  static constinit char buffer[kMaxDisks * 48];
  TextBuffer parameters(buffer, sizeof buffer);
  std::string_view type = "raid";
  if (segment.kind == lvm::SegmentKind::kRaid1) {
    put_raid1(segment, parameters);
  } else {
    type = segment.stripe_count > 1 ? "striped" : "linear";
    put_striped(segment, parameters);
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
  lvm::put_dm_uuid(volume.group, device.id, uuid);
  if (const int error = make_device(mapper, name.view(), uuid.view(), table)) return error;
  TextBuffer number(memory_.numbers[index].data(), memory_.numbers[index].size());
  return index + 1 == volume.devices.count ? 0 : mapper.put_number(name.view(), number);
}

// All or none: to a scan a part without the volume would look like what is on the volume.
int Volumes::make_devices(DeviceMapper& mapper) {
  const lvm::Volume& volume = memory_.volume;
  int error = 0;
  std::size_t i = 0;
  for (; i < volume.devices.count && error == 0; ++i) {
    if (!volume.devices.items[i].missing) error = make_device_of(i, mapper);
  }
  while (error != 0 && i-- > 0) {
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
  const lvm::Device& device = memory_.volume.top();
  Text<DM_NAME_LEN + 1> name;
  lvm::put_dm_name(memory_.volume, device, name);
  if (const int error = make_devices(drivers.mapper)) {
    problem.put("cannot make ", name.view(), ": ", ::strerror(error));
    return false;
  }
  problem.clear();
  made.put(name.view());
  const lvm::Segment& segment = segments_of(memory_.volume, device).front();
  if (segment.kind == lvm::SegmentKind::kRaid1) {
    // The next boot has the time and the memory for a resync. Of one that had begun the kernel
    // keeps how far it came; where it takes no such word it goes on, which is no reason to do
    // without.
    drivers.mapper.message(name.view(), "frozen");
    std::size_t legs = 0;
    const std::span<const lvm::Stripe> stripes = stripes_of(memory_.volume, segment);
    for (std::size_t i = 0; i < stripes.size(); i += 2) {
      legs += has_leg(memory_.volume, stripes[i], stripes[i + 1]);
    }
    made.put(" with ", legs, " of ", stripes.size() / 2, " legs");
  }
  return true;
}

}  // namespace kdinit
