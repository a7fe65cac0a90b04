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

bool Volumes::is_complete(bool patient, TextBuffer& problem) const {
  for (const lvm::PhysicalVolume& physical : memory_.volume.physical_volumes) {
    if (!physical.needed && (!patient || physical.missing)) continue;
    const Disk* disk = find(physical.id);
    if (disk == nullptr) {
      problem.put("its physical volume ");
      lvm::put_id(physical.id, problem);
      problem.put(" is missing");
      return false;
    }
    if (!physical.needed) continue;
    // A clone, or a second path: writing to the wrong one would be silent.
    if (const Disk* other = find(physical.id, disk)) {
      problem.put(disk->path, " and ", other->path, " are both its physical volume ");
      lvm::put_id(physical.id, problem);
      return false;
    }
  }
  return true;
}

// "DEVICE SECTOR", or for stripes "COUNT CHUNK DEVICE SECTOR DEVICE SECTOR ...".
void Volumes::put_target(const lvm::Segment& segment, DeviceTable& table) const {
  static constinit char buffer[kMaxDisks * 48];
  TextBuffer parameters(buffer, sizeof buffer);
  const bool striped = segment.stripe_count > 1;
  if (striped) parameters.put(segment.stripe_count, ' ', segment.stripe_size, ' ');
  for (std::uint32_t i = 0; i < segment.stripe_count; ++i) {
    const lvm::Stripe& stripe = memory_.volume.stripes.items[segment.first_stripe + i];
    const Disk* disk = find(memory_.volume.physical_volumes.items[stripe.physical_volume].id);
    parameters.put(i > 0 ? " " : "", disk->number, ' ', stripe.start);
  }
  // Without its last stripes a target would still be one.
  table.add(segment.start, segment.length,
            parameters.cut() ? std::string_view()
            : striped        ? "striped"
                             : "linear",
            parameters.view());
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
  DeviceTable table(memory_.table);
  for (const lvm::Segment& segment : memory_.volume.segments) put_target(segment, table);
  Text<DM_NAME_LEN + 1> name;
  Text<DM_UUID_LEN> uuid;
  lvm::put_dm_name(memory_.volume, name);
  lvm::put_dm_uuid(memory_.volume.group, memory_.volume.id, uuid);
  const int error = make_device(drivers.mapper, name.view(), uuid.view(), table);
  if (error != 0) {
    problem.put("cannot make ", name.view(), ": ", ::strerror(error));
    return false;
  }
  problem.clear();
  made.put(name.view());
  return true;
}

}  // namespace kdinit
