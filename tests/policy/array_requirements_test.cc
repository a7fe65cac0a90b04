// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a machine on an array of md needs of the capture kernel.
#include "tests/policy/decide_for.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

constexpr const char* kUuid = "6b64756d:70004000:80000000:00000082";

// A mirror of vda and nvme0n1 with a spare on a disk of its own.
MachineFacts array_machine(std::string level = "raid1") {
  MachineFacts machine = virtio_machine();
  const auto disk = [&machine](std::string name, std::string driver) {
    BlockDevice device = machine.devices[0];
    device.chain[0] = {.path = "devices/pci0000:00/" + name,
                       .subsystem = "pci",
                       .modalias = "pci:" + name,
                       .driver = driver,
                       .module = driver};
    device.name = std::move(name);
    return device;
  };
  BlockDevice array{.name = "md127",
                    .kind = BlockKind::kMd,
                    .layer = std::move(level),
                    .below = {"nvme0n1", "sda", "vda"},
                    .chain = {},
                    .volume = {},
                    .array = Array{.metadata = "1.2",
                                   .uuid = kUuid,
                                   .disks = 2,
                                   .members = {{"nvme0n1", "0123abcd"}, {"vda", "4567cdef"}},
                                   .problem = {}}};
  machine.devices = {array, disk("nvme0n1", "nvme"), disk("sda", "ahci"), machine.devices[0]};
  machine.dump_mount.source = "/dev/md127";
  machine.dump_mount.device = "md127";
  return machine;
}

TEST(ArrayRequirements, NamesAnArrayByItsUuidAndTheMembersInUse) {
  const auto result = decide_for(array_machine());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(result->layers,
              ElementsAre(RequiredLayer{
                  .kind = kdinit::LayerKind::kMd, .id = kUuid, .parameters = "0123abcd 4567cdef"}));
  EXPECT_THAT(wanted_names(*result), IsSupersetOf({"virtio_blk", "nvme", "md_mod", "raid1"}));
  EXPECT_THAT(wanted_names(*result), Not(Contains("ahci"))) << "only the spare is there";
}

TEST(ArrayRequirements, ParityHasOneModuleAndACache) {
  for (const char* level : {"raid4", "raid5", "raid6"}) {
    const auto result = decide_for(array_machine(level));
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_THAT(wanted_names(*result), Contains("raid456"));
    EXPECT_EQ(result->layers.front().stripe_disks, 2u);
  }
}

// Two arrays on the partitions of the same two disks, and a volume on both.
TEST(ArrayRequirements, DiskIsReachedInSeveralWays) {
  MachineFacts machine = array_machine();
  BlockDevice second = machine.devices[0];
  second.name = "md126";
  second.array->uuid = "6b64756d:70004000:80000000:00000083";
  machine.devices.push_back(second);
  machine.devices.push_back(
      {.name = "dm-0",
       .kind = BlockKind::kDeviceMapper,
       .layer = "LVM",
       .below = {"md126", "md127"},
       .chain = {},
       .volume = LogicalVolume{"aaaaaa-0000-1111-2222-3333-4444-bbbbbb",
                               "aaaaaa-0000-1111-2222-3333-4444-cccccc", "linear", ""},
       .array = {}});
  machine.dump_mount.device = "dm-0";
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->layers.size(), 3u);
}

TEST(ArrayRequirements, WhatInitDoesNotStartIsRefusedWithItsReason) {
  MachineFacts machine = array_machine("raid5");
  machine.devices[0].array->problem = "it has a write journal";
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported,
                 "is on md127, an MD RAID of type raid5 (it has a write journal)");
}

TEST(ArrayRequirements, MembersThatNobodyCouldReadAreNoRefusal) {
  MachineFacts machine = array_machine();
  machine.devices[0].array = Array{.metadata = "1.2"};
  expect_refused(decide_for(machine), ErrorKind::kFailed,
                 "an array of md whose superblocks could not be read from nvme0n1, sda, vda");
}

}  // namespace
}  // namespace kd
