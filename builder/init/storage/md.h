// SPDX-License-Identifier: GPL-2.0-or-later
//
// Arrays of md as they stand on disks, and which members one may be started with. Pure, bounded,
// without a heap; shared by init, which goes by what it reads at the crash, and by the builder,
// which proves with it that init will understand this array. Format: include/uapi/linux/raid/md_p.h
// of Linux; places and checks: super_90_load() and super_1_load() in drivers/md/md.c.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/storage/block_reader.h"
#include "builder/init/text.h"

namespace kdinit::md {

enum class Version { k0_90, k1_0, k1_1, k1_2 };
inline constexpr std::array kVersions = {Version::k0_90, Version::k1_0, Version::k1_1,
                                         Version::k1_2};

// What is larger is refused. md itself has up to 27 disks in version 0.90 and 1920 in 1.x.
inline constexpr std::size_t kMaxMembers = 48;   // as many fit into a line of the configuration
inline constexpr std::size_t kMaxNumbers = 128;  // of devices, those of spares and failed ones too

// As mdadm prints it, "6b64756d:70004000:80000000:00000082"; equal ids compare equal.
struct Uuid {
  std::array<unsigned char, 16> bytes{};
  friend bool operator==(const Uuid&, const Uuid&) = default;
};
bool parse_uuid(std::string_view text, Uuid& uuid);
void put_uuid(const Uuid& uuid, TextBuffer& out);

// What tells one disk of an array from all others it ever had: the first four bytes of the UUID
// that mdadm draws for each, the first group of "Device UUID" in mdadm --examine. Version 0.90 has
// none. Its number of the device stands in, which a disk inherits that takes another one's place.
using MemberId = std::uint32_t;
// Of 8 digits, as mdadm prints the group.
bool parse_member(std::string_view text, MemberId& member);
void put_member(MemberId member, TextBuffer& out);

inline constexpr std::uint16_t kNoRole = 0xffff;  // a spare, failed, or not there

struct Superblock {
  Version version{};
  Uuid array;
  MemberId member = 0;
  std::uint32_t number = 0;  // of the device, an index into `roles`
  std::uint64_t events = 0;  // grows with each change that is written to the active members
  std::int32_t level = 0;    // as md counts them: -1 is linear
  std::uint32_t layout = 0;
  std::uint32_t chunk = 0;  // sectors
  std::uint32_t raid_disks = 0;
  bool dirty = false;    // not marked clean since it was last written to
  bool in_sync = false;  // false: still being rebuilt, or to replace another one
  // What init does not start, and the builder refuses; nullptr when there is nothing of the kind.
  const char* unsupported = nullptr;
  // The place in the array that each device has, from 0; kNoRole without one.
  std::array<std::uint16_t, kMaxNumbers> roles{};

  [[nodiscard]] bool is_active(std::uint32_t device) const {
    return device < kMaxNumbers && roles[device] != kNoRole;
  }
};

// Where the superblock is on a device of `size` bytes; none when there is no place for it.
inline constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
std::uint64_t place_of(Version version, std::uint64_t size);

// Magic number and version in the place for them, which is enough to leave the device alone.
// Version 1 says where it is, so that what was copied elsewhere is no superblock; of 0.90 the whole
// disk has the one of its last partition as well.
bool has_superblock(BlockReader& device, Version version);

enum class SuperblockState {
  kNone,     //
  kFound,    //
  kDamaged,  // one that the kernel does not take
};
SuperblockState read_superblock(BlockReader& device, Version version, Superblock& superblock);

// "raid1", as the kernel calls it; empty for levels that init does not start.
std::string_view name_of_level(std::int32_t level);

// An array that is wanted, and which of its members were active when that was decided.
struct Wanted {
  Uuid array;
  List<MemberId, kMaxMembers> members;
};
// From words as put_uuid() and put_member() write them, members with blanks between them; false for
// anything else, and without a member.
bool parse_wanted(std::string_view uuid, std::string_view members, Wanted& wanted);

struct Choice {
  // Indexes into what was seen, the freshest first.
  List<std::uint32_t, kMaxMembers> members;
  // Why the array is not started; nullptr when it is. It is about `number`, if that is a device.
  const char* problem = nullptr;
  std::uint32_t number = kNoNumber;

  static constexpr std::uint32_t kNoNumber = ~std::uint32_t{0};
};

// The members to start the array with. The freshest superblock decides who is one: the kernel,
// which compares only those it is given, starts a disk that failed long ago when it comes alone,
// and the array is then two. So one of them has to be a member that is recorded in `wanted`; what
// else has been added since is taken where the freshest one says so. `patient`: all that are active
// have to be there, else only those that the level cannot do without. Never an array of level 4, 5
// or 6 that is degraded and dirty: what the missing disk had may then be wrong.
Choice choose(std::span<const Superblock> seen, const Wanted& wanted, bool patient);

// The problem in words: "its member 1 is missing".
void put_problem(const Choice& choice, TextBuffer& out);

}  // namespace kdinit::md
