// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/volumes.h"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <cerrno>

#include "builder/base/fd.h"

namespace kdinit {

void Volumes::begin(std::span<const Layer> layers) {
  layers_ = layers;
  disk_count_ = 0;
  too_many_disks_ = false;
  newest_ = {};
}

void Volumes::add(const SeenDevice& device, BlockReader& reader) {
  if (disk_count_ == disks_.size() || device.path.size() >= sizeof Disk::path ||
      device.number.size() >= sizeof Disk::number) {
    too_many_disks_ = true;
    return;
  }
  Disk& disk = disks_[disk_count_];
  disk = {};
  if (lvm::read_label(reader, disk.label) != lvm::LabelState::kFound) return;
  device.path.copy(disk.path, device.path.size());
  device.number.copy(disk.number, device.number.size());
  for (std::uint32_t area = 0; area < disk.label.areas.count; ++area) {
    std::string_view text;
    lvm::Summary summary;
    if (lvm::read_text(reader, disk.label.areas.items[area], text_, text) !=
            lvm::TextState::kValid ||
        !lvm::read_summary(text, summary)) {
      continue;
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      lvm::Id group;
      Newest& newest = newest_[i];
      if (!lvm::parse_id(layers_[i].group, group) || group != summary.group) continue;
      if (newest.known && newest.seqno >= summary.seqno) continue;
      newest = {true, summary.seqno, static_cast<std::uint32_t>(disk_count_), area};
    }
  }
  ++disk_count_;
}

bool Volumes::read_newest(const Newest& newest, std::string_view& text) {
  const Disk& disk = disks_[newest.disk];
  const kd::Fd fd(::open(disk.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  FileReader reader(fd.get());
  return lvm::read_text(reader, disk.label.areas.items[newest.area], text_, text) ==
         lvm::TextState::kValid;
}

const Volumes::Disk* Volumes::find(const lvm::Id& id, const Disk* after) const {
  const Disk* end = disks_.data() + disk_count_;
  const Disk* found =
      std::find_if(after != nullptr ? after + 1 : disks_.data(), end,
                   [&id](const Disk& disk) { return disk.label.physical_volume == id; });
  return found == end ? nullptr : found;
}

bool Volumes::is_complete(bool whole_group, TextBuffer& problem) const {
  for (const lvm::PhysicalVolume& physical : volume_.physical_volumes) {
    if (!physical.needed && (!whole_group || physical.missing)) continue;
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
    const lvm::Stripe& stripe = volume_.stripes.items[segment.first_stripe + i];
    const Disk* disk = find(volume_.physical_volumes.items[stripe.physical_volume].id);
    parameters.put(i > 0 ? " " : "", disk->number, ' ', stripe.start);
  }
  // Without its last stripes a target would still be one.
  table.add(segment.start, segment.length,
            parameters.cut() ? std::string_view()
            : striped        ? "striped"
                             : "linear",
            parameters.view());
}

bool Volumes::make(std::size_t layer, bool whole_group, DeviceMapper& mapper, TextBuffer& made,
                   TextBuffer& problem) {
  const std::string_view id = layers_[layer].id;
  problem.put("logical volume ", id, ": ");
  lvm::Id volume;
  std::string_view text;
  if (!newest_[layer].known || !read_newest(newest_[layer], text)) {
    problem.put(too_many_disks_ ? "there are too many disks" : "no disk has metadata of its group");
    return false;
  }
  const bool parsed = lvm::parse_id(id, volume);
  const lvm::Refusal refusal = lvm::find_volume(text, volume, volume_);
  if (!parsed || refusal.refused()) {
    problem.put(refusal.what, refusal.detail.empty() ? "" : " ", refusal.detail);
    return false;
  }
  if (!is_complete(whole_group, problem)) return false;
  DeviceTable table(table_);
  for (const lvm::Segment& segment : volume_.segments) put_target(segment, table);
  Text<DM_NAME_LEN + 1> name;
  Text<DM_UUID_LEN> uuid;
  lvm::put_dm_name(volume_, name);
  lvm::put_dm_uuid(volume_.group, volume_.id, uuid);
  const int error = table.overflow() ? E2BIG : mapper.create(name.view(), uuid.view(), table);
  if (error != 0) {
    problem.put("cannot make ", name.view(), ": ", ::strerror(error));
    return false;
  }
  problem.clear();
  made.put(name.view());
  return true;
}

}  // namespace kdinit
