// SPDX-License-Identifier: GPL-2.0-or-later
//
// The superblocks of md: struct mdp_superblock_s (0.90) and struct mdp_superblock_1 (1.0 to 1.2).
#include <string.h>

#include <algorithm>
#include <charconv>

#include "builder/init/storage/little_endian.h"
#include "builder/init/storage/md.h"

namespace kdinit::md {
namespace {

constexpr std::uint64_t kSector = 512, kKiB = 1024;
constexpr std::uint32_t kMagic = 0xa92b4efc;
constexpr std::size_t kSize = 4 * kKiB;  // of both, roles included

using Bytes = std::array<unsigned char, kSize>;

struct Level {
  std::int32_t number;
  std::string_view name;
};
constexpr Level kLevels[] = {{-1, "linear"}, {0, "raid0"}, {1, "raid1"},  {4, "raid4"},
                             {5, "raid5"},   {6, "raid6"}, {10, "raid10"}};

bool is_one(std::span<const unsigned char> bytes, Version version, std::uint64_t place) {
  if (little_endian(bytes, 0, 4) != kMagic) return false;
  const std::uint64_t major = little_endian(bytes, 4, 4), minor = little_endian(bytes, 8, 4);
  if (version == Version::k0_90) return major == 0 && (minor == 90 || minor == 91);
  return major == 1 && little_endian(bytes, 144, 8) == place / kSector;
}

std::uint32_t number_at(const Bytes& bytes, std::size_t offset) {
  return static_cast<std::uint32_t>(little_endian(bytes, offset, 4));
}

// Of the 32-bit words without the one at `own_place`, with a half word at the end.
std::uint32_t checksum(const Bytes& bytes, std::size_t size, std::size_t own_place) {
  std::uint64_t sum = 0;
  for (std::size_t place = 0; place < size; place += 4) {
    if (place != own_place)
      sum += little_endian(bytes, place, std::min<std::size_t>(4, size - place));
  }
  return static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(sum >> 32);
}

const char* check_size(const Superblock& superblock) {
  if (name_of_level(superblock.level).empty()) return "it is of a level that is not supported";
  if (superblock.raid_disks == 0 || superblock.raid_disks > kMaxMembers) {
    return "it has too many members";
  }
  return nullptr;
}

// calc_sb_csum(), md_csum_fold(): only 16 bits of it are the same everywhere.
std::uint32_t folded(std::uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

SuperblockState parse_0_90(const Bytes& bytes, Superblock& superblock) {
  constexpr std::size_t kDisks = 27, kDisksPlace = 512, kDiskSize = 128, kThisDisk = 3968;
  constexpr std::size_t kCsum = 152, kState = 132;
  constexpr unsigned kFaulty = 1, kActive = 2, kSync = 4, kClean = 1, kClustered = 1 << 5;
  if (folded(checksum(bytes, kSize, kCsum)) != folded(number_at(bytes, kCsum))) {
    return SuperblockState::kDamaged;
  }
  // Four words of the processor's order, of which mdadm prints the numbers.
  constexpr std::size_t kUuidPlaces[] = {20, 52, 56, 60};
  for (std::size_t i = 0; i < 16; ++i) {
    superblock.array.bytes[i] = bytes[kUuidPlaces[i / 4] + 3 - i % 4];
  }
  superblock.level = static_cast<std::int32_t>(number_at(bytes, 28));
  superblock.raid_disks = number_at(bytes, 40);
  const std::uint32_t state = number_at(bytes, kState);
  superblock.dirty = (state & kClean) == 0;
  superblock.events = little_endian(bytes, 156, 8);
  superblock.layout = number_at(bytes, 256);
  superblock.chunk = number_at(bytes, 260) / kSector;
  superblock.number = superblock.member = number_at(bytes, kThisDisk);
  for (std::size_t i = 0; i < kDisks; ++i) {
    const std::size_t disk = kDisksPlace + i * kDiskSize;
    const std::uint32_t disk_state = number_at(bytes, disk + 16);
    if ((disk_state & kFaulty) != 0 || (disk_state & (kActive | kSync)) == 0) continue;
    superblock.roles[i] =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(number_at(bytes, disk + 12), kNoRole));
    if (i == superblock.number) superblock.in_sync = (disk_state & kSync) != 0;
  }
  superblock.unsupported = check_size(superblock);
  if (number_at(bytes, 8) == 91) superblock.unsupported = "it is being reshaped";
  if ((state & kClustered) != 0) superblock.unsupported = "it is shared in a cluster";
  return SuperblockState::kFound;
}

// Bits of feature_map.
enum : std::uint32_t {
  kRecoveryOffset = 2,
  kReshapeActive = 4,
  kReplacement = 16,
  kNewOffset = 64,
  kClusteredArray = 256,
  kJournal = 512,
  kPpl = 1024,
  kMultiplePpls = 2048,
  kRaid0Layout = 4096,
  kAllFeatures = 8191,
};

const char* check_features(std::uint32_t features) {
  if ((features & ~kAllFeatures) != 0) return "it has a feature that is not known to this version";
  if ((features & (kReshapeActive | kNewOffset)) != 0) return "it is being reshaped";
  if ((features & kClusteredArray) != 0) return "it is shared in a cluster";
  if ((features & kJournal) != 0) return "it has a write journal";
  if ((features & (kPpl | kMultiplePpls)) != 0) return "it has a partial parity log";
  return nullptr;
}

SuperblockState parse_1(const Bytes& bytes, Superblock& superblock) {
  constexpr std::size_t kRolesPlace = 256, kCsum = 216, kPadding = 224;
  constexpr std::uint16_t kMaxRole = 0xff00;  // MD_DISK_ROLE_MAX
  constexpr std::uint64_t kInSync = ~std::uint64_t{0};
  const std::uint32_t roles = number_at(bytes, 220);
  if (roles > (kSize - kRolesPlace) / 2 ||
      checksum(bytes, kRolesPlace + 2 * std::size_t{roles}, kCsum) != number_at(bytes, kCsum)) {
    return SuperblockState::kDamaged;
  }
  ::memcpy(superblock.array.bytes.data(), bytes.data() + 16, 16);
  superblock.level = static_cast<std::int32_t>(number_at(bytes, 72));
  superblock.layout = number_at(bytes, 76);
  superblock.chunk = number_at(bytes, 88);
  superblock.raid_disks = number_at(bytes, 92);
  superblock.number = number_at(bytes, 160);
  for (std::size_t i = 168; i < 172; ++i) superblock.member = superblock.member << 8 | bytes[i];
  superblock.events = little_endian(bytes, 200, 8);
  superblock.dirty = little_endian(bytes, 208, 8) != kInSync;  // resync_offset
  superblock.unsupported = check_size(superblock);
  for (std::uint32_t i = 0; i < roles; ++i) {
    const auto role =
        static_cast<std::uint16_t>(little_endian(bytes, kRolesPlace + 2 * std::size_t{i}, 2));
    if (role >= kMaxRole) continue;
    if (i < kMaxNumbers) {
      superblock.roles[i] = role;
    } else {
      superblock.unsupported = "it has too many members";
    }
  }
  const std::uint32_t features = number_at(bytes, 8);
  superblock.in_sync =
      superblock.is_active(superblock.number) && (features & (kRecoveryOffset | kReplacement)) == 0;
  if (const char* feature = check_features(features)) superblock.unsupported = feature;
  // What the kernel takes for a feature of its future.
  const std::span padding = std::span(bytes).subspan(kPadding, kRolesPlace - kPadding);
  if (number_at(bytes, 12) != 0 ||
      std::any_of(padding.begin(), padding.end(), [](auto byte) { return byte != 0; })) {
    superblock.unsupported = check_features(~std::uint32_t{0});
  }
  return SuperblockState::kFound;
}

bool parse_hex(std::string_view text, std::uint32_t& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, 16);
  return text.size() == 8 && error == std::errc{} && stop == end;
}

}  // namespace

std::uint64_t place_of(Version version, std::uint64_t size) {
  constexpr std::uint64_t kReserved = 64 * kKiB;  // MD_RESERVED_BYTES of 0.90
  switch (version) {
    case Version::k0_90:
      return size < 2 * kReserved ? kNowhere : size / kReserved * kReserved - kReserved;
    case Version::k1_0:
      return size < 16 * kKiB ? kNowhere : (size / kSector - 16) / 8 * 8 * kSector;
    case Version::k1_1:
      return 0;
    case Version::k1_2:
      break;
  }
  return 4 * kKiB;
}

bool has_superblock(BlockReader& device, Version version) {
  std::array<unsigned char, 152> bytes;  // up to super_offset
  const std::uint64_t place = place_of(version, device.size());
  return place != kNowhere && device.read(place, bytes.data(), bytes.size()) == 0 &&
         is_one(bytes, version, place);
}

SuperblockState read_superblock(BlockReader& device, Version version, Superblock& superblock) {
  if (!has_superblock(device, version)) return SuperblockState::kNone;
  Bytes bytes;
  if (device.read(place_of(version, device.size()), bytes.data(), bytes.size()) != 0) {
    return SuperblockState::kDamaged;
  }
  superblock = {};
  superblock.version = version;
  superblock.roles.fill(kNoRole);
  return version == Version::k0_90 ? parse_0_90(bytes, superblock) : parse_1(bytes, superblock);
}

std::string_view name_of_level(std::int32_t level) {
  for (const Level& row : kLevels) {
    if (row.number == level) return row.name;
  }
  return {};
}

bool parse_uuid(std::string_view text, Uuid& uuid) {
  constexpr std::size_t kGroup = 8;
  if (text.size() != 4 * kGroup + 3) return false;
  for (std::size_t group = 0; group < 4; ++group) {
    std::uint32_t number = 0;
    if (!parse_hex(text.substr(0, kGroup), number)) return false;
    for (std::size_t i = 0; i < 4; ++i) {
      uuid.bytes[4 * group + i] = static_cast<unsigned char>(number >> (24 - 8 * i));
    }
    text.remove_prefix(kGroup);
    if (group < 3 && text.front() != ':') return false;
    if (group < 3) text.remove_prefix(1);
  }
  return true;
}

void put_uuid(const Uuid& uuid, TextBuffer& out) {
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i > 0 && i % 4 == 0) out.put(':');
    out.put_hex(uuid.bytes[i]);
  }
}

bool parse_member(std::string_view text, MemberId& member) { return parse_hex(text, member); }

bool parse_wanted(std::string_view uuid, std::string_view members, Wanted& wanted) {
  if (!parse_uuid(uuid, wanted.array)) return false;
  while (!members.empty()) {
    MemberId member = 0;
    const std::string_view word = members.substr(0, members.find(' '));
    if (!parse_member(word, member) || !wanted.members.push(member)) return false;
    members.remove_prefix(std::min(word.size() + 1, members.size()));
  }
  return !wanted.members.empty();
}

void put_member(MemberId member, TextBuffer& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out.put_hex(member >> shift & 0xff);
}

}  // namespace kdinit::md
