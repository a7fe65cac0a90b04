// SPDX-License-Identifier: GPL-2.0-or-later
//
// The text of a volume group: "KEY = VALUE" and "KEY { ... }", with comments after '#'.
#include <algorithm>
#include <charconv>

#include "builder/init/storage/lvm.h"
#include "builder/init/storage/quoted_string.h"

namespace kdinit::lvm {
namespace {

// Of names and flags nothing is refused that a list does not name: what is not known may matter.
constexpr std::array<std::string_view, 5> kGroupFlags = {"RESIZEABLE", "READ", "WRITE",
                                                         "WRITE_LOCKED", "NOAUTOACTIVATE"};
constexpr std::array<std::string_view, 1> kPhysicalFlags = {"ALLOCATABLE"};
constexpr std::array<std::string_view, 7> kVolumeFlags = {
    "READ", "WRITE", "VISIBLE", "WRITE_LOCKED", "FIXED_MINOR", "ACTIVATION_SKIP", "NOAUTOACTIVATE"};
// Larger ones do not exist: extents are counted in 32 bits, and sectors of one fit as well.
constexpr std::uint64_t kMaxCount = 0xffffffff;
constexpr std::uint64_t kMaxSector = std::uint64_t{1} << 54;  // 2^63 bytes

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void skip_blanks(std::string_view& text) {
  while (!text.empty()) {
    if (text.front() == '#') {
      text.remove_prefix(std::min(text.find('\n'), text.size()));
    } else if (is_blank(text.front())) {
      text.remove_prefix(1);
    } else {
      return;
    }
  }
}

// From the bracket at the front to the one that closes it, brackets included.
std::string_view take_brackets(std::string_view& text) {
  const std::string_view start = text;
  const char open = text.front(), close = open == '{' ? '}' : ']';
  std::size_t depth = 0;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '"' || c == '\'') {
      if (take_string(text).empty()) return {};
      continue;
    }
    if (c == '#') {
      skip_blanks(text);
      continue;
    }
    text.remove_prefix(1);
    if (c == open) ++depth;
    if (c == close && --depth == 0) return start.substr(0, start.size() - text.size());
  }
  return {};
}

std::string_view take_word(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && !is_blank(text[end]) &&
         std::string_view("={}[]#,\"").find(text[end]) == std::string_view::npos) {
    ++end;
  }
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

std::string_view take_value(std::string_view& text) {
  skip_blanks(text);
  if (text.empty()) return {};
  const char c = text.front();
  if (c == '"' || c == '\'') return take_string(text);
  if (c == '[') return take_brackets(text);
  return take_word(text);
}

struct Entry {
  std::string_view key;
  std::string_view value;    // as it stands, with quotes or brackets
  std::string_view section;  // what is between the braces
  bool is_section = false;
};

// The entries of a section one after the other, without those inside of them.
class Entries {
 public:
  explicit Entries(std::string_view section) : rest_(section) {}
  bool next(Entry& entry) {
    skip_blanks(rest_);
    if (rest_.empty()) return false;
    entry = {};
    entry.key = take_word(rest_);
    skip_blanks(rest_);
    if (entry.key.empty() || rest_.empty()) return stop();
    if (rest_.front() == '=') {
      rest_.remove_prefix(1);
      entry.value = take_value(rest_);
      return !entry.value.empty() || stop();
    }
    if (rest_.front() != '{') return stop();
    entry.section = take_brackets(rest_);
    if (entry.section.empty()) return stop();
    entry.section = entry.section.substr(1, entry.section.size() - 2);
    entry.is_section = true;
    return true;
  }
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  bool stop() {
    damaged_ = true;
    rest_ = {};
    return false;
  }
  std::string_view rest_;
  bool damaged_ = false;
};

// The elements of "[ a, b ]".
class Elements {
 public:
  explicit Elements(std::string_view array) {
    if (array.size() >= 2 && array.front() == '[') rest_ = array.substr(1, array.size() - 2);
  }
  bool next(std::string_view& element) {
    skip_blanks(rest_);
    if (!rest_.empty() && rest_.front() == ',') rest_.remove_prefix(1);
    element = take_value(rest_);
    return !element.empty();
  }

 private:
  std::string_view rest_;
};

// As lvm: of a key that is there twice the first one counts.
Entry find(std::string_view section, std::string_view key) {
  Entries entries(section);
  Entry entry;
  while (entries.next(entry)) {
    if (entry.key == key) return entry;
  }
  return {};
}

std::string_view unquoted(std::string_view value) {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2)
                                                   : std::string_view();
}

std::string_view find_string(std::string_view section, std::string_view key) {
  return unquoted(find(section, key).value);
}

// Leaves `number` alone when `value` is none.
bool to_number(std::string_view value, std::uint64_t max, std::uint64_t& number) {
  const char* end = value.data() + value.size();
  std::uint64_t read = 0;
  const auto [stop, error] = std::from_chars(value.data(), end, read);
  if (error != std::errc{} || stop != end || read > max) return false;
  number = read;
  return true;
}

bool find_number(std::string_view section, std::string_view key, std::uint64_t max,
                 std::uint64_t& number) {
  return to_number(find(section, key).value, max, number);
}

bool has_flag(std::string_view section, std::string_view flag) {
  for (const std::string_view key : {"status", "flags"}) {
    Elements flags(find(section, key).value);
    for (std::string_view element; flags.next(element);) {
      if (unquoted(element) == flag) return true;
    }
  }
  return false;
}

// The first flag that is not among the `known`; empty when all are.
std::string_view unknown_flag(std::string_view section, std::span<const std::string_view> known) {
  for (const std::string_view key : {"status", "flags"}) {
    Elements flags(find(section, key).value);
    for (std::string_view element; flags.next(element);) {
      const std::string_view flag = unquoted(element);
      if (std::find(known.begin(), known.end(), flag) == known.end()) return flag;
    }
  }
  return {};
}

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

constexpr Refusal kDamaged{"the metadata of the group is damaged", {}};

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

// Reads one volume of a group.
class VolumeReader {
 public:
  VolumeReader(std::string_view group, Volume& volume) : group_(group), volume_(volume) {}
  Refusal read();

 private:
  bool read_physical_volumes();
  Refusal find_own_section(std::string_view volumes);
  Refusal check_others(std::string_view volumes) const;
  Refusal check_flags() const;
  Refusal read_segments();
  Refusal read_segment(std::string_view section, std::uint64_t& next_extent);
  Refusal read_stripes(std::string_view section, std::uint64_t extents, std::uint64_t count);
  Refusal check_physical_volumes() const;

  std::string_view group_;
  Volume& volume_;
  std::string_view own_;  // the section of the volume
  std::uint64_t extent_size_ = 0;
};

Refusal VolumeReader::read() {
  if (const Refusal refusal = check_group(group_); refusal.refused()) return refusal;
  if (!find_number(group_, "extent_size", kMaxCount, extent_size_) || extent_size_ == 0) {
    return kDamaged;
  }
  const std::string_view volumes = find(group_, "logical_volumes").section;
  if (const Refusal refusal = find_own_section(volumes); refusal.refused()) return refusal;
  if (!read_physical_volumes())
    return {"the group has too many or unreadable physical volumes", {}};
  for (const Refusal& refusal : {check_flags(), check_others(volumes)}) {
    if (refusal.refused()) return refusal;
  }
  if (const Refusal refusal = read_segments(); refusal.refused()) return refusal;
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
    physical.bad_flag = unknown_flag(entry.section, kPhysicalFlags);
    if (!volume_.physical_volumes.push(physical)) return false;
  }
  return !entries.damaged() && !volume_.physical_volumes.empty();
}

Refusal VolumeReader::find_own_section(std::string_view volumes) {
  Entries entries(volumes);
  Entry entry;
  while (entries.next(entry)) {
    Id id;
    if (!parse_id(find_string(entry.section, "id"), id) || id != volume_.id) continue;
    volume_.name = entry.key;
    own_ = entry.section;
    return {};
  }
  if (entries.damaged()) return kDamaged;
  return {"the group has no such logical volume", {}};
}

Refusal VolumeReader::check_flags() const {
  if (has_flag(own_, "PVMOVE") || has_flag(own_, "LOCKED")) return {"pvmove is in progress", {}};
  const std::string_view unknown = unknown_flag(own_, kVolumeFlags);
  if (!unknown.empty()) return {"the volume has an unsupported flag", unknown};
  if (!has_flag(own_, "VISIBLE")) return {"the volume is a part of another one", {}};
  if (!is_writable(own_)) return {"the volume is read-only", {}};
  return {};
}

// Writing to the origin of a snapshot without the snapshot destroys the snapshot, and to a part of
// another volume that volume. Whatever the key: origin, cow_store, external_origin, raids, mirrors,
// metadata, thin_pool, and those of a later lvm.
Refusal VolumeReader::check_others(std::string_view volumes) const {
  Entries entries(volumes);
  Entry other;
  while (entries.next(other)) {
    if (other.key == volume_.name) continue;
    Entries parts(other.section);
    Entry segment;
    while (parts.next(segment)) {
      if (!segment.is_section) continue;
      Entries keys(segment.section);
      Entry entry;
      while (keys.next(entry)) {
        if (entry.key == "type" || entry.key == "tags") continue;
        bool named = unquoted(entry.value) == volume_.name;
        Elements elements(entry.value);
        for (std::string_view element; elements.next(element);) {
          named = named || unquoted(element) == volume_.name;
        }
        if (!named) continue;
        return {entry.key == "origin" ? "the volume has a snapshot" : "the volume is used by",
                other.key};
      }
      if (keys.damaged()) return kDamaged;
    }
    if (parts.damaged()) return kDamaged;
  }
  return entries.damaged() ? kDamaged : Refusal{};
}

Refusal VolumeReader::read_segments() {
  Entries entries(own_);
  Entry entry;
  std::uint64_t next_extent = 0;
  while (entries.next(entry)) {
    if (!entry.is_section) continue;
    const Refusal refusal = read_segment(entry.section, next_extent);
    if (refusal.refused()) return refusal;
  }
  std::uint64_t count = 0;
  if (entries.damaged() || !find_number(own_, "segment_count", kMaxCount, count) ||
      count != volume_.segments.count || count == 0) {
    return kDamaged;
  }
  return {};
}

Refusal VolumeReader::read_segment(std::string_view section, std::uint64_t& next_extent) {
  const std::string_view type = find_string(section, "type");
  if (type != "striped" && type != "linear") return {"the type of its segments is", type};
  std::uint64_t start = 0, extents = 0, count = 0;
  if (!find_number(section, "start_extent", kMaxCount, start) ||
      !find_number(section, "extent_count", kMaxCount, extents) ||
      !find_number(section, "stripe_count", kMaxStripes, count) || start != next_extent ||
      extents == 0 || count == 0 || extents % count != 0) {
    return kDamaged;
  }
  next_extent += extents;
  Segment segment{.start = start * extent_size_,
                  .length = extents * extent_size_,
                  .first_stripe = static_cast<std::uint32_t>(volume_.stripes.count),
                  .stripe_count = static_cast<std::uint32_t>(count),
                  .stripe_size = 0};
  if (next_extent > kMaxCount || segment.start + segment.length > kMaxSector) return kDamaged;
  // dm-stripe takes no rest of a chunk.
  if (count > 1 &&
      (!find_number(section, "stripe_size", kMaxCount, segment.stripe_size) ||
       segment.stripe_size == 0 || segment.length / count % segment.stripe_size != 0)) {
    return kDamaged;
  }
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
    const Stripe stripe{.physical_volume = static_cast<std::uint32_t>(found - physicals.begin()),
                        .start = physical.pe_start + extent * extent_size_};
    if (!volume_.stripes.push(stripe)) return {"the volume has too many stripes", {}};
    ++number;
  }
  return number == count ? Refusal{} : kDamaged;
}

Refusal VolumeReader::check_physical_volumes() const {
  for (const PhysicalVolume& physical : volume_.physical_volumes) {
    if (!physical.needed) continue;
    if (physical.missing) return {"a physical volume is marked missing", physical.name};
    if (!physical.bad_flag.empty()) return {"a physical volume is marked", physical.bad_flag};
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
  volume.physical_volumes.count = volume.segments.count = volume.stripes.count = 0;
  volume.id = id;
  volume.name = {};
  const Entry group = find_group(text);
  volume.group_name = group.key;
  if (!group.is_section || !parse_id(find_string(group.section, "id"), volume.group)) {
    return kDamaged;
  }
  return VolumeReader(group.section, volume).read();
}

void put_dm_name(const Volume& volume, TextBuffer& out) {
  for (const std::string_view name : {volume.group_name, volume.name}) {
    if (name.data() == volume.name.data()) out.put('-');
    for (const char c : name) c == '-' ? out.put("--") : out.put(c);
  }
}

void put_dm_uuid(const Id& group, const Id& volume, TextBuffer& out) {
  out.put("LVM-");
  for (const Id& id : {group, volume}) {
    out.put(std::string_view(id.characters.data(), id.characters.size()));
  }
}

}  // namespace kdinit::lvm
