// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a machine on LVM needs of the capture kernel.
#include "tests/policy/decide_for.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kGroup = "aaaaaa-0000-1111-2222-3333-4444-bbbbbb";

RequiredLayer volume_layer(std::string id) {
  return {kdinit::LayerKind::kLvm, std::move(id), kGroup};
}

// The dump on a striped volume of two disks, / on another of the first alone.
MachineFacts lvm_machine() {
  MachineFacts machine = virtio_machine();
  BlockDevice second = machine.devices[0];
  second.name = "nvme0n1";
  second.chain[0] = {.path = "devices/pci0000:00/0000:00:05.0",
                     .subsystem = "pci",
                     .modalias = "pci:v00001B36d00000010",
                     .driver = "nvme",
                     .module = "nvme"};
  const auto volume = [](const char* name, const char* id, const char* layout,
                         std::vector<std::string> below) {
    return BlockDevice{.name = name,
                       .kind = BlockKind::kDeviceMapper,
                       .layer = "LVM",
                       .below = std::move(below),
                       .chain = {},
                       .volume = LogicalVolume{kGroup, id, layout, ""}};
  };
  machine.devices = {
      volume("dm-0", "cccccc-0000-0000-0000-0000-0000-000001", "linear", {"vda"}),
      volume("dm-1", "cccccc-0000-0000-0000-0000-0000-000002", "striped", {"nvme0n1", "vda"}),
      second, machine.devices[0]};
  machine.root_mount = machine.dump_mount;
  machine.root_mount->device = "dm-0";
  machine.dump_mount.mount_point = "/var/crash";
  machine.dump_mount.source = "/dev/mapper/deb--vg-var--crash";
  machine.dump_mount.device = "dm-1";
  return machine;
}

TEST(VolumeRequirements, FollowsAVolumeToAllItsDisksAndNamesItByItsIds) {
  const auto result = decide_for(lvm_machine());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(wanted_names(*result), testing::IsSupersetOf({"virtio_blk", "nvme", "dm_mod"}));
  EXPECT_THAT(result->layers, ElementsAre(volume_layer("cccccc-0000-0000-0000-0000-0000-000002"),
                                          volume_layer("cccccc-0000-0000-0000-0000-0000-000001")));
  // dm-1 may be dm-0 after the next start, and the image would not be fresh.
  EXPECT_EQ(result->target.description, "ext4 on deb--vg-var--crash for /var/crash");
}

TEST(VolumeRequirements, NamesAVolumeOnceThatHoldsTargetAndRoot) {
  MachineFacts machine = lvm_machine();
  machine.dump_mount = *machine.root_mount;
  machine.root_mount.reset();
  for (const KdumpConfig& config : {KdumpConfig(), rootfs()}) {
    const auto result = decide_for(machine, config);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_THAT(result->layers,
                ElementsAre(volume_layer("cccccc-0000-0000-0000-0000-0000-000001")));
  }
}

TEST(VolumeRequirements, OnARaid1GetsTheArrayToo) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].volume->layout = "raid1";
  BlockDevice part = machine.devices[1];
  part.name = "dm-2";
  part.volume.reset();
  machine.devices[1].below = {"dm-2"};
  machine.devices.push_back(part);
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(wanted_names(*result),
              testing::IsSupersetOf({"dm_mod", "raid1", "dm_raid", "nvme", "virtio_blk"}));
  EXPECT_TRUE(result->layers[0].raid1);
  EXPECT_FALSE(result->layers[1].raid1) << "/ is linear";
}

TEST(VolumeRequirements, OnAThinVolumeGetsThePoolToo) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].volume->layout = "thin";
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(wanted_names(*result), testing::IsSupersetOf({"dm_mod", "dm_thin_pool"}));
  EXPECT_TRUE(result->layers[0].thin);
  EXPECT_FALSE(result->layers[1].thin) << "/ is linear";
}

// Each byte is written to all of them, and one pool may be smaller than the other.
TEST(VolumeRequirements, RefusesAThinVolumeThatIsOneDeviceOfSeveral) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].volume->layout = "thin";
  machine.dump_mount.fs_type = "btrfs";
  machine.dump_mount.members = {"dm-1", "dm-0"};
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported,
                 "/var/crash is on dm-1, a thin logical volume that is one device of several");
}

// It may be one again, so nothing is built in another way.
TEST(VolumeRequirements, FailsForAThinVolumeWhosePoolIsFull) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].volume->layout = "thin";
  machine.devices[1].volume->problem = "lvextend has to make room: pool";
  expect_refused(decide_for(machine), ErrorKind::kFailed,
                 "/var/crash is on dm-1, a thin logical volume that cannot be a dump target now: "
                 "lvextend has to make room: pool");
}

TEST(VolumeRequirements, RefusesAVolumeThatInitDoesNotUnderstandWithItsTypeAndWhatIsSupported) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].volume->layout.clear();
  machine.devices[1].volume->problem = "it is a cached volume";
  const auto result = decide_for(machine);
  expect_refused(
      result, ErrorKind::kTargetNotSupported,
      "/var/crash is on dm-1, a logical volume of LVM (it is a cached volume): this "
      "storage layer is not supported as a dump target yet; linear, striped, raid1 and thin");
}

TEST(VolumeRequirements, DoesWithoutARootOnAVolumeThatInitDoesNotUnderstand) {
  MachineFacts machine = lvm_machine();
  machine.devices[0].volume->problem = "it is a cached volume";
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_FALSE(result->root.has_value());
  EXPECT_THAT(result->layers, ElementsAre(volume_layer("cccccc-0000-0000-0000-0000-0000-000002")));
  EXPECT_THAT(result->notes, Contains(HasSubstr("it is a cached volume")));
}

// To read a disk takes root: what was built before stays, and the next try may know.
TEST(VolumeRequirements, DoesNotKnowAVolumeWhoseDisksNobodyCouldRead) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].volume->layout.clear();
  expect_refused(decide_for(machine), ErrorKind::kFailed,
                 "metadata could not be read from nvme0n1, vda; run as root");
}

TEST(VolumeRequirements, RefusesAPartThatBelongsToNoVolume) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].volume.reset();
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported,
                 "/var/crash is on dm-1, a device mapper of type LVM");
}

TEST(VolumeRequirements, RefusesWhatAVolumeLiesOn) {
  MachineFacts machine = lvm_machine();
  machine.devices[1].below = {"crypt"};
  machine.devices.push_back(
      {.name = "crypt", .kind = BlockKind::kDeviceMapper, .layer = "CRYPT", .below = {"vda"}});
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported,
                 "/var/crash is on crypt, a device mapper of type CRYPT");
}

}  // namespace
}  // namespace kd
