// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/logical_volume.h"

#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "builder/base/fd.h"
#include "builder/facts/device_files.h"
#include "builder/init/storage/container.h"
#include "builder/init/storage/lvm.h"
#include "builder/init/storage/thin_pool.h"

namespace kd {
namespace {

namespace lvm = kdinit::lvm;

std::string with_dashes(std::string_view characters) {
  lvm::Id id;
  characters.copy(id.characters.data(), id.characters.size());
  kdinit::Text<40> text;
  lvm::put_id(id, text);
  return std::string(text.view());
}

struct Below {
  std::set<std::string> parts;     // volumes of the same group that a volume is made of
  std::set<std::string> physical;  // what these lie on
};

void add_below(const DeviceMap& devices, const std::string& name, const std::string& group,
               Below& found) {
  const auto device = devices.find(name);
  if (device == devices.end()) return;
  for (const std::string& below : device->second.below) {
    const auto next = devices.find(below);
    const bool part = next != devices.end() && next->second.kind == BlockKind::kDeviceMapper &&
                      next->second.layer == "LVM" &&
                      (!next->second.volume || next->second.volume->group == group);
    if (!part) {
      found.physical.insert(below);
    } else if (found.parts.insert(below).second) {
      add_below(devices, below, group, found);
    }
  }
}

// What the physical volumes below one volume tell of its group.
struct Group {
  std::size_t readable = 0;                                       // devices that could be opened
  std::vector<std::pair<lvm::Id, std::string>> physical_volumes;  // with the names of the devices
  std::vector<std::string> damaged;                               // names of devices
  std::vector<char> text;                                         // the newest; empty without any
  std::uint64_t seqno = 0;
  std::string hidden;  // a disk that init will not take for a physical volume, and why
};

void read_area(kdinit::BlockReader& device, const lvm::Area& area, const std::string& name,
               const lvm::Id& wanted, Group& group) {
  std::vector<char> buffer(lvm::kMaxTextBytes);
  std::string_view text;
  switch (lvm::read_text(device, area, buffer, text)) {
    case lvm::TextState::kNoText:
      return;
    case lvm::TextState::kDamaged:
    case lvm::TextState::kTooLarge:
      group.damaged.push_back(name);
      return;
    case lvm::TextState::kValid:
      break;
  }
  lvm::Summary summary;
  if (!lvm::read_summary(text, summary) || summary.group != wanted) return;
  if (!group.text.empty() && summary.seqno <= group.seqno) return;
  group.seqno = summary.seqno;
  group.text.assign(text.begin(), text.end());
}

void read_physical_volume(const RootedReader& reader, const std::string& name,
                          const lvm::Id& wanted, Group& group) {
  const Fd fd = open_block_device(reader, name);
  if (!fd.valid()) return;
  ++group.readable;
  kdinit::FileReader device(fd.get());
  // Init does not look for a label behind another signature.
  const std::string_view container = kdinit::container_on(device);
  if (!container.empty() && container != kdinit::kLvmMember) {
    group.hidden = fmt::format("{} has the signature of {}", name, container);
  }
  lvm::Label label;
  switch (lvm::read_label(device, label)) {
    case lvm::LabelState::kNone:
      return;
    case lvm::LabelState::kDamaged:
      group.damaged.push_back(name);
      return;
    case lvm::LabelState::kFound:
      break;
  }
  group.physical_volumes.emplace_back(label.physical_volume, name);
  for (const lvm::Area& area : label.areas) read_area(device, area, name, wanted, group);
}

std::string layout_of(const lvm::Volume& volume) {
  const auto segments = lvm::segments_of(volume, volume.top());
  if (segments.front().kind == lvm::SegmentKind::kRaid1) return "raid1";
  if (segments.front().kind == lvm::SegmentKind::kThin) return "thin";
  const auto has = [segments](bool linear) {
    return std::ranges::any_of(
        segments, [&](const auto& segment) { return (segment.stripe_count == 1) == linear; });
  };
  return !has(false) ? "linear" : has(true) ? "linear, striped" : "striped";
}

std::string text_of(const lvm::Refusal& refusal) {
  if (!refusal.refused()) return {};
  return refusal.detail.empty() ? refusal.what
                                : fmt::format("{}: {}", refusal.what, refusal.detail);
}

auto find_physical_volume(const Group& group, const lvm::Id& id) {
  return std::ranges::find(group.physical_volumes, id, &std::pair<lvm::Id, std::string>::first);
}

// The pool runs and writes past the cache of the disk, in which there may be what was read before.
void describe_pool(const RootedReader& reader, const Group& group, const lvm::Volume& volume,
                   LogicalVolume& described) {
  const auto [physical, offset] = lvm::pool_metadata(volume);
  const Fd fd = open_block_device(reader, find_physical_volume(group, physical.id)->second);
  ::posix_fadvise(fd.get(), static_cast<off_t>(offset), kdinit::thin::kBlockSize,
                  POSIX_FADV_DONTNEED);
  kdinit::FileReader device(fd.get());
  described.problem = text_of(kdinit::thin::check(device, offset, volume.pool, described.room));
}

// The same as init will decide, with the same words.
void describe(const RootedReader& reader, const Group& group, const lvm::Id& id,
              LogicalVolume& described) {
  if (!group.hidden.empty()) {
    described.problem = group.hidden;
    return;
  }
  if (group.text.empty()) {
    described.problem = group.damaged.empty()
                            ? "no metadata of its volume group on the disks below it"
                            : fmt::format("damaged metadata on {}", fmt::join(group.damaged, ", "));
    return;
  }
  const auto volume = std::make_unique<lvm::Volume>();
  const std::string_view text(group.text.data(), group.text.size());
  described.problem = text_of(lvm::find_volume(text, id, *volume));
  if (!described.problem.empty()) return;
  // A leg that failed before may be all that is there in the capture, and is old.
  for (const lvm::PhysicalVolume& needed : volume->physical_volumes) {
    if (needed.needed && needed.missing) {
      described.problem = fmt::format("physical volume {} is marked missing", needed.name);
      return;
    }
    if (needed.needed && find_physical_volume(group, needed.id) == group.physical_volumes.end()) {
      described.problem = fmt::format("physical volume {} was not found below it", needed.name);
      return;
    }
  }
  described.layout = layout_of(*volume);
  if (!volume->pool.name.empty()) describe_pool(reader, group, *volume, described);
}

}  // namespace

std::optional<LogicalVolume> volume_of_uuid(std::string_view uuid) {
  constexpr std::string_view kPrefix = "LVM-";
  constexpr std::size_t kId = 32;
  if (!uuid.starts_with(kPrefix) || uuid.size() != kPrefix.size() + 2 * kId) return std::nullopt;
  uuid.remove_prefix(kPrefix.size());
  return LogicalVolume{.group = with_dashes(uuid.substr(0, kId)),
                       .id = with_dashes(uuid.substr(kId)),
                       .layout = {},
                       .problem = {}};
}

std::uint64_t pool_room(const MachineFacts& machine, std::string_view name) {
  const BlockDevice* device = find_device(machine, name);
  std::uint64_t room = std::numeric_limits<std::uint64_t>::max();
  if (device == nullptr) return room;
  if (device->volume) room = device->volume->room;
  for (const std::string& below : device->below) room = std::min(room, pool_room(machine, below));
  return room;
}

void read_volumes(const RootedReader& reader, DeviceMap& devices) {
  std::set<std::string> parts;
  for (auto& [name, device] : devices) {
    if (!device.volume) continue;
    Below below;
    add_below(devices, name, device.volume->group, below);
    parts.insert(below.parts.begin(), below.parts.end());
    lvm::Id wanted, id;
    if (!lvm::parse_id(device.volume->group, wanted) || !lvm::parse_id(device.volume->id, id)) {
      device.volume->problem = "an id that lvm does not make";
      continue;
    }
    Group group;
    for (const std::string& disk : below.physical) {
      read_physical_volume(reader, disk, wanted, group);
    }
    if (group.readable > 0) describe(reader, group, id, *device.volume);
  }
  for (const std::string& part : parts) devices.at(part).volume.reset();
}

}  // namespace kd
