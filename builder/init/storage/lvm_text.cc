// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the text of a volume group says.
#include <algorithm>
#include <utility>

#include "builder/init/storage/lvm.h"
#include "builder/init/storage/lvm_entries.h"
#include "builder/init/storage/lvm_pool.h"

namespace kdinit::lvm {
namespace {

// Of names and flags nothing is refused that a list does not name: what is not known may matter.
constexpr std::array<std::string_view, 5> kGroupFlags = {"RESIZEABLE", "READ", "WRITE",
                                                         "WRITE_LOCKED", "NOAUTOACTIVATE"};
constexpr std::array<std::string_view, 1> kPhysicalFlags = {"ALLOCATABLE"};
// NOTSYNCED: made with --nosync, which only the first activation tells the kernel.
// ERROR_WHEN_FULL: of a pool, from which init wants nothing else.
constexpr std::array<std::string_view, 9> kVolumeFlags = {
    "READ",           "WRITE",       "VISIBLE",
    "WRITE_LOCKED",   "FIXED_MINOR", "ACTIVATION_SKIP",
    "NOAUTOACTIVATE", "NOTSYNCED",   "ERROR_WHEN_FULL"};
// Rates bound a recovery, and none runs.
constexpr std::array<std::string_view, 9> kRaid1Keys = {
    "start_extent",      "extent_count",     "type", "tags", "device_count", "region_size", "raids",
    "max_recovery_rate", "min_recovery_rate"};
// Larger ones do not exist: extents are counted in 32 bits, and sectors of one fit as well.
constexpr std::uint64_t kMaxCount = 0xffffffff;
constexpr std::uint64_t kMaxSector = std::uint64_t{1} << 54;  // 2^63 bytes

// A volume of a group with a system id or lock type has WRITE_LOCKED for WRITE, so that an old lvm
// leaves it alone.
bool is_writable(std::string_view section) {
  return has_flag(section, "WRITE") || has_flag(section, "WRITE_LOCKED");
}

// The section of the group itself, the only one at the top; empty when it is not such a text.
Entry find_group(std::string_view text) {
  if (find_string(text, "contents") != "Text Format Volume Group" ||
      find(text, "version").value != "1") {
    return {};
  }
  Entries entries(text);
  Entry entry;
  while (entries.next(entry)) {
    if (entry.is_section) return entry;
  }
  return {};
}

Refusal check_group(std::string_view group) {
  for (const std::string_view flag : {"EXPORTED", "CLUSTERED", "SHARED", "PVMOVE"}) {
    if (has_flag(group, flag)) return {"the group is marked", flag};
  }
  const std::string_view unknown = unknown_flag(group, kGroupFlags);
  if (!unknown.empty()) return {"the group has an unknown flag", unknown};
  const std::string_view lock = find_string(group, "lock_type");
  if (!lock.empty() && lock != "none") return {"the group is shared by other machines", lock};
  if (!is_writable(group)) return {"the group is read-only", {}};
  return {};
}

// Whether an entry of a segment names a volume. Whatever the key: origin, cow_store,
// external_origin, raids, mirrors, metadata, and those of a later lvm. A pool may have many
// volumes, and snapshots in it take nothing from their origin.
bool names(const Entry& entry, bool thin, std::string_view volume) {
  if (entry.key == "type" || entry.key == "tags") return false;
  if (thin && (entry.key == "thin_pool" || entry.key == "origin")) return false;
  if (unquoted(entry.value) == volume) return true;
  Elements elements(entry.value);
  for (std::string_view element; elements.next(element);) {
    if (unquoted(element) == volume) return true;
  }
  return false;
}

// What a device is to the volume.
enum class Role { kVolume, kPool, kPart };

// Reads one volume of a group.
class VolumeReader {
 public:
  VolumeReader(std::string_view group, Volume& volume) : group_(group), volume_(volume) {}
  Refusal read();

 private:
  bool read_physical_volumes();
  [[nodiscard]] Refusal find_own_name(std::string_view& name) const;
  [[nodiscard]] Refusal check_others(std::string_view name, std::string_view user) const;
  Refusal read_device(std::string_view name, std::string_view user, Role role,
                      std::string_view layer = {});
  Refusal read_part(std::string_view name, std::string_view user, std::string_view layer = {}) {
    return name == own_ ? kDamaged : read_device(name, user, Role::kPart, layer);
  }
  Refusal read_segments(std::string_view section, Role role, Device& device);
  Refusal read_segment(std::string_view section, Role role, std::uint64_t& next_extent);
  Refusal read_striped(std::string_view section, Segment segment);
  Refusal read_stripes(std::string_view array, std::uint64_t extents, std::uint64_t count);
  Refusal read_raid1(std::string_view section, Segment segment);
  Refusal read_thin_pool(std::string_view section, Segment segment);
  Refusal read_thin(std::string_view section, Segment segment);
  Refusal push(Segment segment, std::size_t first, std::size_t count);
  Refusal check_physical_volumes();

  std::string_view group_;
  Volume& volume_;
  std::string_view volumes_;  // the section of all
  std::string_view own_;      // the name of the volume
  std::uint64_t extent_size_ = 0;
};

Refusal VolumeReader::read() {
  if (const Refusal refusal = check_group(group_); refusal.refused()) return refusal;
  if (!find_number(group_, "extent_size", kMaxCount, extent_size_) || extent_size_ == 0) {
    return kDamaged;
  }
  volumes_ = find(group_, "logical_volumes").section;
  if (const Refusal refusal = find_own_name(own_); refusal.refused()) return refusal;
  if (!read_physical_volumes())
    return {"the group has too many or unreadable physical volumes", {}};
  if (const Refusal refusal = read_device(own_, own_, Role::kVolume); refusal.refused())
    return refusal;
  return check_physical_volumes();
}

bool VolumeReader::read_physical_volumes() {
  Entries entries(find(group_, "physical_volumes").section);
  Entry entry;
  while (entries.next(entry)) {
    PhysicalVolume physical;
    physical.name = entry.key;
    if (!parse_id(find_string(entry.section, "id"), physical.id) ||
        !find_number(entry.section, "pe_start", kMaxSector, physical.pe_start) ||
        !find_number(entry.section, "pe_count", kMaxCount, physical.pe_count)) {
      return false;
    }
    physical.missing = has_flag(entry.section, "MISSING");
    physical.present = !physical.missing;
    physical.bad_flag = unknown_flag(entry.section, kPhysicalFlags);
    if (!volume_.physical_volumes.push(physical)) return false;
  }
  return !entries.damaged() && !volume_.physical_volumes.empty();
}

Refusal VolumeReader::find_own_name(std::string_view& name) const {
  Entries entries(volumes_);
  Entry entry;
  while (entries.next(entry)) {
    Id id;
    if (!parse_id(find_string(entry.section, "id"), id) || id != volume_.id) continue;
    name = entry.key;
    return {};
  }
  if (entries.damaged()) return kDamaged;
  return {"the group has no such logical volume", {}};
}

Refusal check_flags(std::string_view section, Role role) {
  if (has_flag(section, "PVMOVE") || has_flag(section, "LOCKED"))
    return {"pvmove is in progress", {}};
  const std::string_view unknown = unknown_flag(section, kVolumeFlags);
  if (!unknown.empty()) return {"the volume has an unsupported flag", unknown};
  if (role == Role::kVolume && !has_flag(section, "VISIBLE"))
    return {"the volume is a part of another one", {}};
  if (!is_writable(section)) return {"the volume is read-only", {}};
  return {};
}

// Writing to the origin of a snapshot without the snapshot destroys the snapshot, and to a part of
// another volume that volume.
Refusal VolumeReader::check_others(std::string_view name, std::string_view user) const {
  Entries entries(volumes_);
  Entry other;
  while (entries.next(other)) {
    if (other.key == user) continue;
    Entries parts(other.section);
    Entry segment;
    while (parts.next(segment)) {
      if (!segment.is_section) continue;
      const bool thin = find_string(segment.section, "type") == kThinType;
      Entries keys(segment.section);
      Entry entry;
      while (keys.next(entry)) {
        if (!names(entry, thin, name)) continue;
        return {entry.key == "origin" ? "the volume has a snapshot" : "the volume is used by",
                other.key};
      }
      if (keys.damaged()) return kDamaged;
    }
    if (parts.damaged()) return kDamaged;
  }
  return entries.damaged() ? kDamaged : Refusal{};
}

// Adds a device, after those it is made of. `user` is made of it, or it itself.
Refusal VolumeReader::read_device(std::string_view name, std::string_view user, Role role,
                                  std::string_view layer) {
  const std::string_view section = find(volumes_, name).section;
  Device device;
  device.name = name;
  device.layer = layer;
  if (!parse_id(find_string(section, "id"), device.id)) return kDamaged;
  for (const Refusal& refusal : {check_flags(section, role), check_others(name, user)}) {
    if (refusal.refused()) return refusal;
  }
  if (const Refusal refusal = read_segments(section, role, device); refusal.refused())
    return refusal;
  return volume_.devices.push(device) ? Refusal{} : Refusal{"the volume has too many parts", {}};
}

Refusal VolumeReader::read_segments(std::string_view section, Role role, Device& device) {
  Entries entries(section);
  Entry entry;
  std::uint64_t next_extent = 0, count = 0;
  std::uint32_t read = 0;
  while (entries.next(entry)) {
    if (!entry.is_section) continue;
    const Refusal refusal = read_segment(entry.section, role, next_extent);
    if (refusal.refused()) return refusal;
    ++read;
  }
  if (entries.damaged() || !find_number(section, "segment_count", kMaxCount, count) ||
      count != read || read == 0) {
    return kDamaged;
  }
  device.segment_count = read;
  // Those of its parts came before.
  device.first_segment = static_cast<std::uint32_t>(volume_.segments.count) - read;
  return {};
}

Refusal VolumeReader::read_segment(std::string_view section, Role role,
                                   std::uint64_t& next_extent) {
  const std::string_view type = find_string(section, "type");
  std::uint64_t start = 0, extents = 0;
  if (!find_number(section, "start_extent", kMaxCount, start) ||
      !find_number(section, "extent_count", kMaxCount, extents) || start != next_extent ||
      extents == 0) {
    return kDamaged;
  }
  next_extent += extents;
  Segment segment;
  segment.start = start * extent_size_;
  segment.length = extents * extent_size_;
  if (next_extent > kMaxCount || segment.start + segment.length > kMaxSector) return kDamaged;
  const bool striped = type == "striped" || type == "linear";
  if (striped && role != Role::kPool) return read_striped(section, segment);
  // Of one segment only: lvm makes no others.
  if (role == Role::kPool && type == kPoolType && start == 0) {
    return read_thin_pool(section, segment);
  }
  if (role != Role::kVolume) return {"a part of the volume is of the type", type};
  if (type == "raid1" && start == 0) return read_raid1(section, segment);
  if (type == kThinType && start == 0) return read_thin(section, segment);
  return {"the type of its segments is", type};
}

Refusal VolumeReader::read_striped(std::string_view section, Segment segment) {
  const std::uint64_t extents = segment.length / extent_size_;
  std::uint64_t count = 0;
  if (!find_number(section, "stripe_count", kMaxStripes, count) || count == 0 ||
      extents % count != 0) {
    return kDamaged;
  }
  // dm-stripe takes no rest of a chunk.
  if (count > 1 &&
      (!find_number(section, "stripe_size", kMaxCount, segment.stripe_size) ||
       segment.stripe_size == 0 || segment.length / count % segment.stripe_size != 0)) {
    return kDamaged;
  }
  segment.first_stripe = static_cast<std::uint32_t>(volume_.stripes.count);
  segment.stripe_count = static_cast<std::uint32_t>(count);
  if (!volume_.segments.push(segment)) return {"the volume has too many segments", {}};
  return read_stripes(find(section, "stripes").value, extents / count, count);
}

Refusal VolumeReader::read_stripes(std::string_view array, std::uint64_t extents,
                                   std::uint64_t count) {
  Elements elements(array);
  std::string_view name, place;
  std::uint64_t number = 0;
  while (elements.next(name)) {
    std::uint64_t extent = 0;
    if (!elements.next(place) || !to_number(place, kMaxCount, extent)) return kDamaged;
    auto& physicals = volume_.physical_volumes;
    const auto* found = std::find_if(physicals.begin(), physicals.end(), [&](const auto& physical) {
      return physical.name == unquoted(name);
    });
    if (found == physicals.end()) return {"the volume is made of another one", unquoted(name)};
    auto& physical = physicals.items[static_cast<std::size_t>(found - physicals.begin())];
    if (extent + extents > physical.pe_count) return kDamaged;
    physical.needed = true;
    const Stripe stripe{.below = static_cast<std::uint32_t>(found - physicals.begin()),
                        .start = physical.pe_start + extent * extent_size_};
    if (!volume_.stripes.push(stripe)) return {"the volume has too many stripes", {}};
    ++number;
  }
  return number == count ? Refusal{} : kDamaged;
}

// Its legs come first: as devices, segments and stripes.
Refusal VolumeReader::read_raid1(std::string_view section, Segment segment) {
  const std::string_view unknown = unknown_key(section, kRaid1Keys);
  if (!unknown.empty()) return {"the raid1 has an unsupported setting", unknown};
  std::uint64_t legs = 0;
  if (!find_number(section, "device_count", kMaxDevices / 2, legs) || legs == 0 ||
      !find_number(section, "region_size", kMaxCount, segment.stripe_size)) {
    return kDamaged;
  }
  Elements parts(find(section, "raids").value);
  for (std::string_view part; parts.next(part);) {
    if (const Refusal refusal = read_part(unquoted(part), own_); refusal.refused()) return refusal;
  }
  if (volume_.devices.count != 2 * legs) return kDamaged;
  for (std::size_t data = 1; data < volume_.devices.count; data += 2) {
    const Segment& last = segments_of(volume_, volume_.devices.items[data]).back();
    if (last.start + last.length != segment.length) return kDamaged;
  }
  segment.kind = SegmentKind::kRaid1;
  return push(segment, 0, volume_.devices.count);
}

// A segment of `count` other devices.
Refusal VolumeReader::push(Segment segment, std::size_t first, std::size_t count) {
  segment.first_stripe = static_cast<std::uint32_t>(volume_.stripes.count);
  segment.stripe_count = static_cast<std::uint32_t>(count);
  for (std::size_t device = first; device < first + count; ++device) {
    if (!volume_.stripes.push({.below = static_cast<std::uint32_t>(device), .start = 0}))
      return {"the volume has too many stripes", {}};
  }
  return volume_.segments.push(segment) ? Refusal{}
                                        : Refusal{"the volume has too many segments", {}};
}

// Its parts come first: what a pool knows of its blocks, and the blocks.
Refusal VolumeReader::read_thin_pool(std::string_view section, Segment segment) {
  if (const Refusal refusal = read_pool_settings(section, volume_.pool); refusal.refused()) {
    return refusal;
  }
  const std::string_view metadata = find_string(section, "metadata");
  const std::string_view data = find_string(section, "pool");
  if (metadata == data) return kDamaged;
  for (const auto& [part, layer] : {std::pair(metadata, "tmeta"), std::pair(data, "tdata")}) {
    const Refusal refusal = read_part(part, volume_.pool.name, layer);
    if (refusal.refused()) return refusal;
  }
  const std::size_t parts = volume_.devices.count;
  const Segment& last = segments_of(volume_, volume_.devices.items[parts - 1]).back();
  if (last.start + last.length != segment.length) return kDamaged;
  segment.kind = SegmentKind::kThinPool;
  segment.stripe_size = volume_.pool.chunk;
  return push(segment, parts - 2, 2);
}

Refusal VolumeReader::read_thin(std::string_view section, Segment segment) {
  ThinPool& pool = volume_.pool;
  if (const Refusal refusal = read_thin_settings(section, pool); refusal.refused()) return refusal;
  if (pool.name == own_) return kDamaged;
  const Refusal refusal = read_device(pool.name, own_, Role::kPool, kPoolLayer);
  if (refusal.refused()) return refusal;
  pool.promised = promised_chunks(volumes_, pool, extent_size_);
  segment.kind = SegmentKind::kThin;
  return push(segment, volume_.devices.count - 1, 1);
}

Refusal VolumeReader::check_physical_volumes() {
  const bool usable = mark_missing(volume_);
  for (const PhysicalVolume& physical : volume_.physical_volumes) {
    if (!physical.needed) continue;
    if (physical.missing && !usable) return {"a physical volume is marked missing", physical.name};
    if (!physical.missing && !physical.bad_flag.empty())
      return {"a physical volume is marked", physical.bad_flag};
  }
  return {};
}

}  // namespace

bool read_summary(std::string_view text, Summary& summary) {
  const Entry group = find_group(text);
  return group.is_section && parse_id(find_string(group.section, "id"), summary.group) &&
         find_number(group.section, "seqno", kMaxCount, summary.seqno);
}

Refusal find_volume(std::string_view text, const Id& id, Volume& volume) {
  volume.physical_volumes.count = volume.devices.count = 0;
  volume.segments.count = volume.stripes.count = 0;
  volume.pool = {};
  volume.id = id;
  const Entry group = find_group(text);
  volume.group_name = group.key;
  if (!group.is_section || !parse_id(find_string(group.section, "id"), volume.group)) {
    return kDamaged;
  }
  return VolumeReader(group.section, volume).read();
}

}  // namespace kdinit::lvm
