// SPDX-License-Identifier: GPL-2.0-or-later
//
// Superblocks that mdadm made (md/record.py) against what mdadm --examine said of them.
#include "builder/init/storage/md.h"

#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/init/storage/recorded_members.h"

namespace kdinit::md {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// The value of a line "NAME : VALUE" of mdadm, up to the first blank.
std::string field(const Member& member, const std::string& name) {
  std::smatch found;
  const std::regex line("\\n *" + name + " : ([^ \\n]+)");
  return std::regex_search(member.text, found, line) ? found[1].str() : "";
}

Superblock read(Member member) {
  std::vector<Superblock> found;
  for (const Version version : kVersions) {
    Superblock superblock;
    const SuperblockState state = read_superblock(member, version, superblock);
    EXPECT_NE(state, SuperblockState::kDamaged) << member.text;
    if (state == SuperblockState::kFound) found.push_back(superblock);
  }
  EXPECT_THAT(found, SizeIs(1)) << member.text;
  return found.empty() ? Superblock{} : found.front();
}

// What was recorded under a name, in the order of its members.
std::vector<Superblock> array_of(const std::string& name) {
  std::vector<Superblock> superblocks;
  for (const auto& [key, member] : recorded()) {
    if (key.substr(0, key.rfind('-')) == name) superblocks.push_back(read(member));
  }
  EXPECT_THAT(superblocks, testing::Not(IsEmpty())) << name;
  return superblocks;
}

std::string text_of(const Uuid& uuid) {
  Text<40> text;
  put_uuid(uuid, text);
  return std::string(text.view());
}

std::string text_of(MemberId member) {
  Text<40> text;
  put_member(member, text);
  return std::string(text.view());
}

std::string version_of(const Superblock& superblock) {
  constexpr const char* kNames[] = {"0.90.00", "1.0", "1.1", "1.2"};
  return kNames[static_cast<int>(superblock.version)];
}

// "AA.": what each place of the array has, as mdadm prints it of version 1.
std::string array_state(const Superblock& superblock) {
  std::string state(superblock.raid_disks, '.');
  for (const std::uint16_t role : superblock.roles) {
    if (role < state.size()) state[role] = 'A';
  }
  return state;
}

// As mdadm prints it of the levels that have one: ALGORITHM_* of drivers/md/raid5.h, near and far
// copies of RAID 10 in a byte each, and how RAID 0 goes on where its smallest disk ends.
std::string layout_of(const Superblock& superblock) {
  constexpr const char* kParity[] = {"left-asymmetric", "right-asymmetric", "left-symmetric",
                                     "right-symmetric"};
  constexpr const char* kZones[] = {"-unknown-", "original", "alternate"};
  const std::uint32_t layout = superblock.layout;
  switch (superblock.level) {
    case 0:
      return layout < std::size(kZones) ? kZones[layout] : "?";
    case 5:
    case 6:
      return layout < std::size(kParity) ? kParity[layout] : "?";
    case 10: {
      const std::uint32_t near = layout & 0xff, far = layout >> 8 & 0xff;
      if (near > 1) return "near=" + std::to_string(near);
      return ((layout >> 16 & 1) != 0 ? "offset=" : "far=") + std::to_string(far);
    }
    default:
      return "";
  }
}

TEST(MdSuperblock, IsWhatMdadmPrints) {
  const auto members = recorded();
  ASSERT_GT(members.size(), 150u);
  std::set<std::string> chunks;
  for (const auto& [name, member] : members) {
    SCOPED_TRACE(name);
    const Superblock superblock = read(member);
    const bool old = superblock.version == Version::k0_90;
    EXPECT_EQ(version_of(superblock), field(member, "Version"));
    EXPECT_EQ(text_of(superblock.array), field(member, old ? "UUID" : "Array UUID"));
    EXPECT_EQ(std::to_string(superblock.events), field(member, "Events"));
    EXPECT_EQ(std::to_string(superblock.raid_disks), field(member, "Raid Devices"));
    // Of a journal mdadm says so in the place of the level.
    if (field(member, "Device Role") != "Journal") {
      EXPECT_EQ(name_of_level(superblock.level), field(member, "Raid Level"));
    }
    EXPECT_EQ(superblock.dirty, field(member, "State") != "clean");
    const std::string chunk = field(member, "Chunk Size");
    EXPECT_EQ(superblock.chunk / 2, chunk.empty() ? 0u : std::stoul(chunk));
    chunks.insert(chunk);
    EXPECT_EQ(layout_of(superblock), field(member, "Layout"));
    if (old) {
      std::smatch row;
      ASSERT_TRUE(std::regex_search(member.text, row,
                                    std::regex("this +(\\d+) +\\d+ +\\d+ +(\\d+) +(.*?)/dev")));
      EXPECT_EQ(std::to_string(superblock.number), row[1].str());
      EXPECT_EQ(superblock.member, superblock.number);
      EXPECT_EQ(superblock.in_sync, row[3].str().find("active sync") == 0) << row[3];
    } else {
      EXPECT_EQ(text_of(superblock.member), field(member, "Device UUID").substr(0, 8));
      EXPECT_EQ(superblock.is_active(superblock.number), field(member, "Device Role") == "Active");
      EXPECT_EQ(array_state(superblock), field(member, "Array State"));
    }
  }
  EXPECT_THAT(chunks, testing::IsSupersetOf({"4K", "32K", "64K", "512K", "1024K"}));
}

TEST(MdSuperblock, IsInItsOwnPlaceOnly) {
  Member member = recorded().at("1.2-2-raid1-0");
  member.place = 8192;
  EXPECT_FALSE(has_superblock(member, Version::k1_2));
  member.place = 0;
  EXPECT_FALSE(has_superblock(member, Version::k1_1)) << "it says that it is 1.2";
  Member old = recorded().at("0.90-2-raid1-0");
  ASSERT_TRUE(has_superblock(old, Version::k0_90));
  old.size_ += 65536;
  EXPECT_FALSE(has_superblock(old, Version::k0_90));
  old.size_ = 1000;
  EXPECT_FALSE(has_superblock(old, Version::k0_90));
  EXPECT_FALSE(has_superblock(old, Version::k1_0));
}

TEST(MdSuperblock, EveryChangedByteThatCountsIsSeen) {
  const auto members = recorded();
  for (const char* name : {"1.0-3-raid5-0", "0.90-3-raid5-0"}) {
    const Member& member = members.at(name);
    const Version version = read(member).version;
    for (const std::size_t place : {17, 40, 73, 93, 157, 205, 260, 400}) {
      Member spoiled = member;
      spoiled.block[place] = static_cast<char>(spoiled.block[place] ^ 4);
      Superblock superblock;
      EXPECT_EQ(read_superblock(spoiled, version, superblock), SuperblockState::kDamaged)
          << name << ' ' << place;
    }
  }
}

// Sets numbers in a recorded superblock of version 1, whose checksum stays right.
Superblock changed(const char* name, const std::map<std::size_t, std::uint32_t>& numbers) {
  Member member = recorded().at(name);
  std::array<std::uint32_t, 1024> words;
  std::memcpy(words.data(), member.block.data(), sizeof words);
  for (const auto& [place, value] : numbers) words.at(place / 4) = value;
  const std::size_t roles = words[220 / 4];
  words[216 / 4] = 0;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 64 + roles / 2; ++i) sum += words.at(i);
  if (roles % 2 == 1) sum += words.at(64 + roles / 2) & 0xffff;
  words[216 / 4] = static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(sum >> 32);
  std::memcpy(member.block.data(), words.data(), sizeof words);
  return read(member);
}

TEST(MdSuperblock, WhatInitDoesNotStartIsNamed) {
  EXPECT_THAT(array_of("journal").front().unsupported, HasSubstr("journal"));
  EXPECT_THAT(array_of("ppl").front().unsupported, HasSubstr("partial parity log"));
  EXPECT_THAT(array_of("reshape").front().unsupported, HasSubstr("reshaped"));
  const char* plain = "1.2-2-raid1-0";
  EXPECT_THAT(changed(plain, {{8, 256}}).unsupported, HasSubstr("cluster"));
  EXPECT_THAT(changed(plain, {{8, 1 << 13}}).unsupported, HasSubstr("not known"));
  EXPECT_THAT(changed(plain, {{240, 1}}).unsupported, HasSubstr("not known"));
  EXPECT_THAT(changed(plain, {{72, ~std::uint32_t{3}}}).unsupported, HasSubstr("level"));
  EXPECT_THAT(changed(plain, {{92, kMaxMembers + 1}}).unsupported, HasSubstr("too many"));
  EXPECT_THAT(changed(plain, {{220, kMaxNumbers + 1}, {256 + 2 * kMaxNumbers, 0}}).unsupported,
              HasSubstr("too many"));
  EXPECT_EQ(changed(plain, {{8, 1 | 8}}).unsupported, nullptr)
      << "a bitmap and bad blocks are no harm";
  EXPECT_EQ(array_of("bitmap").front().unsupported, nullptr);
}

TEST(MdUuid, KeepsItsForm) {
  Uuid uuid;
  EXPECT_TRUE(parse_uuid("6b64756d:70004000:80000000:00000082", uuid));
  EXPECT_EQ(text_of(uuid), "6b64756d:70004000:80000000:00000082");
  for (const char* text :
       {"", "6b64756d-70004000-80000000-00000082", "6b64756d:70004000:80000000",
        "6b64756d:70004000:80000000:0000008g", "6b64756d:70004000:80000000:000000821"}) {
    EXPECT_FALSE(parse_uuid(text, uuid)) << text;
  }
  MemberId member = 0;
  EXPECT_TRUE(parse_member("0001abcd", member));
  EXPECT_EQ(text_of(member), "0001abcd");
  EXPECT_FALSE(parse_member("1abcd", member));
}

// Members are told by the names they were recorded under: "1.2-3-raid5" has 0, 1 and 2.
class MdChoice : public ::testing::Test {
 protected:
  void record(const std::string& name) {
    seen = array_of(name);
    wanted.array = seen.front().array;
    for (const Superblock& member : seen) {
      if (member.in_sync) wanted.members.push(member.member);
    }
  }
  void remove(std::size_t index) { seen.erase(seen.begin() + static_cast<std::ptrdiff_t>(index)); }
  // Device numbers, the freshest first; or the problem.
  std::vector<std::string> chosen(bool patient) {
    const Choice choice = choose(seen, wanted, patient);
    if (choice.problem != nullptr) {
      Text<200> problem;
      put_problem(choice, problem);
      EXPECT_EQ(choice.members.count, 0u);
      return {std::string(problem.view())};
    }
    std::vector<std::string> numbers;
    for (const std::uint32_t index : choice.members) {
      numbers.push_back(std::to_string(seen.at(index).number));
    }
    return numbers;
  }
  std::vector<std::string> chosen() {
    EXPECT_EQ(chosen(true), chosen(false));
    return chosen(true);
  }

  std::vector<Superblock> seen;
  Wanted wanted;
};

TEST_F(MdChoice, AllMembersOfAWholeArray) {
  for (const char* name : {"1.2-2-linear", "1.2-3-raid0", "0.90-2-raid1", "1.1-3-raid5",
                           "1.0-4-raid10-n2", "1.2-4-raid6"}) {
    record(name);
    EXPECT_THAT(chosen(), SizeIs(seen.size())) << name;
  }
}

TEST_F(MdChoice, AMemberThatIsMissingIsWaitedFor) {
  record("1.2-3-raid5");
  remove(1);
  EXPECT_THAT(chosen(true), ElementsAre("its member 1 is missing"));
  EXPECT_THAT(chosen(false), UnorderedElementsAre("0", "2"));
}

TEST_F(MdChoice, SomeLevelsDoWithoutSomeMembers) {
  struct Row {
    const char* name;
    std::set<std::size_t> missing;
    bool enough;
  };
  const Row rows[] = {
      {"1.2-2-raid1", {0}, true},        {"1.2-4-raid1", {0, 1, 2}, true},
      {"1.2-3-raid0", {2}, false},       {"1.2-2-linear", {0}, false},
      {"1.2-3-raid4", {2}, true},        {"1.2-3-raid5", {0, 1}, false},
      {"1.2-4-raid6", {0, 1}, true},     {"1.2-4-raid6", {0, 1, 2}, false},
      {"1.2-4-raid10-n2", {0, 2}, true}, {"1.2-4-raid10-n2", {0, 1}, false},
      {"1.2-3-raid10-f2", {1}, true},    {"1.2-3-raid10-f2", {0, 1}, false},
  };
  for (const Row& row : rows) {
    record(row.name);
    for (auto index = row.missing.rbegin(); index != row.missing.rend(); ++index) remove(*index);
    if (row.enough) {
      EXPECT_THAT(chosen(false), SizeIs(seen.size())) << row.name;
    } else {
      EXPECT_THAT(chosen(false), ElementsAre(HasSubstr("lacks too many"))) << row.name;
    }
  }
}

TEST_F(MdChoice, MemberThatHasFailedIsNeverOne) {
  for (const char* version : {"1.2", "1.0"}) {
    record(std::string("replaced-") + version);
    ASSERT_THAT(seen, SizeIs(3));
    // Disk 2 has taken the place of disk 1. Whatever the order they come in.
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(chosen(), UnorderedElementsAre("0", "2"));
      std::rotate(seen.begin(), seen.begin() + 1, seen.end());
    }
  }
  // Numbers of 0.90 are inherited; the events tell.
  record("replaced-0.90");
  EXPECT_THAT(chosen(), UnorderedElementsAre("0", "1"));
  EXPECT_EQ(choose(seen, wanted, false).members.count, 2u);
}

TEST_F(MdChoice, MemberThatHasFailedBeforeTheImageWasBuiltDoesNotStartAlone) {
  record("replaced-1.2");
  const Superblock failed = seen[1];
  ASSERT_EQ(failed.number, 1u);
  ASSERT_TRUE(failed.is_active(1)) << "by what it says itself";
  wanted.members.count = 0;
  for (const std::size_t active : {0, 2}) wanted.members.push(seen[active].member);
  seen = {failed};
  EXPECT_THAT(chosen(false), ElementsAre(HasSubstr("only members that were none")));
  EXPECT_THAT(chosen(true), ElementsAre(HasSubstr("only members that were none")));
}

TEST_F(MdChoice, MemberThatWasAddedSinceIsTakenBesideARecordedOne) {
  record("replaced-1.2");
  wanted.members.count = 0;
  wanted.members.push(seen[0].member);
  wanted.members.push(seen[1].member);
  EXPECT_THAT(chosen(), UnorderedElementsAre("0", "2"));
  remove(0);
  EXPECT_THAT(chosen(false), ElementsAre(HasSubstr("only members that were none")));
}

// A panic in the middle of an update.
TEST_F(MdChoice, OneUpdateBehindIsFresh) {
  record("1.2-2-raid1");
  seen[0].events += 1;
  EXPECT_THAT(chosen(), ElementsAre("0", "1"));
  seen[0].events += 1;
  EXPECT_THAT(chosen(true), ElementsAre("its member 1 is missing"));
  EXPECT_THAT(chosen(false), ElementsAre("0"));
}

// That update marked it as failed, and nothing was written to it.
TEST_F(MdChoice, FreshestDecidesWhoIsOne) {
  record("1.2-2-raid1");
  seen[0].events += 1;
  seen[0].roles[1] = kNoRole;
  EXPECT_THAT(chosen(), ElementsAre("0"));
}

// That update made a spare a member, to which nothing was copied yet.
TEST_F(MdChoice, SpareThatWasToBecomeAMemberIsNone) {
  record("1.2-2-raid1");
  seen[0].events += 1;
  seen[1].roles[1] = kNoRole;
  EXPECT_THAT(chosen(true), ElementsAre("its member 1 is missing"));
  EXPECT_THAT(chosen(false), ElementsAre("0"));
}

TEST_F(MdChoice, HalvesThatHaveGoneTheirOwnWaysAreNotChosenFrom) {
  record("1.2-2-raid1");
  seen[0].roles[1] = kNoRole;
  seen[1].roles[0] = kNoRole;
  EXPECT_THAT(chosen(), ElementsAre("its member 1 has gone on without the others"));
}

TEST_F(MdChoice, CopyOfAMemberIsNotChosenFrom) {
  record("1.2-2-raid1");
  seen.push_back(seen[1]);
  EXPECT_THAT(chosen(), ElementsAre("its member 1 is there twice"));
}

TEST_F(MdChoice, OtherArraysAreLeftAlone) {
  record("1.2-2-raid1");
  const auto other = array_of("1.2-3-raid5");
  seen.insert(seen.begin(), other.begin(), other.end());
  EXPECT_EQ(choose(seen, wanted, true).members.count, 2u);
  wanted.array.bytes[0] ^= 1;
  EXPECT_THAT(chosen(), ElementsAre("none of its members is there"));
}

TEST_F(MdChoice, DirtyArrayWithParityIsNotStartedDegraded) {
  record("1.2-3-raid5");
  for (Superblock& member : seen) member.dirty = true;
  EXPECT_THAT(chosen(), SizeIs(3)) << "whole, it is resynced later";
  remove(2);
  EXPECT_THAT(chosen(false), ElementsAre(HasSubstr("degraded")));
  record("degraded-1.2");
  EXPECT_THAT(chosen(), ElementsAre(HasSubstr("degraded and was written to")));
  record("1.2-2-raid1");
  seen[0].dirty = true;
  remove(1);
  EXPECT_THAT(chosen(false), ElementsAre("0")) << "a mirror has no parity";
}

TEST_F(MdChoice, MemberThatIsBeingRebuiltBelongsToItButDoesNotCount) {
  record("rebuilding-1.2");
  ASSERT_THAT(seen, SizeIs(3));
  EXPECT_FALSE(seen[2].in_sync);
  for (Superblock& member : seen) member.dirty = false;
  EXPECT_THAT(chosen(), SizeIs(3));
  remove(0);
  EXPECT_THAT(chosen(false), ElementsAre(HasSubstr("lacks too many")));
}

TEST_F(MdChoice, UnsupportedArrayIsNotStarted) {
  record("journal");
  EXPECT_THAT(chosen(), ElementsAre("it has a write journal"));
}

}  // namespace
}  // namespace kdinit::md
