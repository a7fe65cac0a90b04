// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/target.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/init/storage/memory_device.h"
#include "tests/init/storage/scan_fixture.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::string btrfs_image(char members, char member) {
  std::string image(70000, '\0');
  image.replace(0x10040, 8, "_BHRfS_M");
  image.replace(0x10020, 16, "0123456789012345");
  image[0x10088] = members;
  image[0x100c9] = member;
  return image;
}

TEST_F(ScanDevices, FindsTheDeviceByUuidAndNamesAllItSaw) {
  add_device("sda", std::string(4096, '\0'));
  add_device("sdb", xfs_image("abcdefghijklmnop"));
  add_device("sdc", xfs_image());
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ElementsAre("sdc"));
  EXPECT_THAT(found.seen.view(), HasSubstr("sda -"));
  EXPECT_THAT(found.seen.view(), HasSubstr("sdb xfs 61626364-6566-6768-696a-6b6c6d6e6f70"));
}

TEST_F(ScanDevices, EveryDeviceIsASignOfLife) {
  for (const char* name : {"sda", "sdb", "sdc"}) add_device(name, xfs_image("abcdefghijklmnop"));
  scan("xfs");
  EXPECT_EQ(ticker.ticks, 3) << "three slow disks together may take longer than a hang";
}

TEST_F(ScanDevices, AnotherTypeWithTheSameUuidIsNotIt) {
  add_device("sda", xfs_image());
  EXPECT_FALSE(scan("ext4"));
  EXPECT_THAT(devices(), IsEmpty());
}

TEST_F(ScanDevices, NoDevicesAtAllIsNotFound) {
  EXPECT_FALSE(scan("xfs"));
  EXPECT_EQ(found.seen.view(), "");
}

TEST_F(ScanDevices, DeviceWithAHolderIsLeftToItsHolder) {
  add_device("sda", xfs_image());
  root.write("sys/sda/holders/md0", "");
  add_device("md0", xfs_image());
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ElementsAre("md0"));
}

TEST_F(ScanDevices, MemberOfAMirrorIsNeverTheTarget) {
  std::string image = xfs_image();
  image.resize(200000);
  image.replace(131072, 4, "\xfc\x4e\x2b\xa9");  // version 0.90: 192 KiB less 64
  image[131072 + 8] = 90;
  add_device("sda", image);
  EXPECT_FALSE(scan("xfs"));
  EXPECT_EQ(found.seen.view(), "sda linux_raid_member");
}

TEST_F(ScanDevices, DiskWithPartitionsComesLast) {
  for (const char* name : {"sda", "sdb", "sdc"}) add_device(name, xfs_image());
  root.write("sys/sdb/sdb1/partition", "1\n");
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), UnorderedElementsAre("sda", "sdb", "sdc"));
  EXPECT_EQ(devices().back(), "sdb");
}

TEST_F(ScanDevices, EmptyDriveIsNotOpened) {
  root.write("sys/sr0/size", "0\n");
  root.write("dev/sr0", xfs_image());
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.seen.view(), Not(HasSubstr("sr0")));
}

TEST_F(ScanDevices, UnreadableDeviceIsListedWithItsError) {
  root.write("sys/sda/size", "8192\n");
  EXPECT_FALSE(scan("xfs"));
  EXPECT_EQ(found.seen.view(), "sda (No such file or directory)");
}

TEST_F(ScanDevices, ExclamationMarkInANameIsASlash) {
  root.write("sys/cciss!c0d0/size", "8192\n");
  root.write("dev/cciss/c0d0", xfs_image());
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ElementsAre("c0d0"));
}

TEST_F(ScanDevices, BtrfsIsThereOnceAllItsMembersAre) {
  add_device("sda", btrfs_image(2, 1));
  EXPECT_FALSE(scan("btrfs"));
  EXPECT_EQ(found.missing, 1u);
  add_device("sdb", btrfs_image(2, 2));
  EXPECT_TRUE(scan("btrfs"));
  EXPECT_EQ(found.missing, 0u);
  EXPECT_THAT(devices(), UnorderedElementsAre("sda", "sdb"));
}

TEST_F(ScanDevices, CopyOfAMemberIsNotTheOtherOne) {
  add_device("sda", btrfs_image(2, 1));
  add_device("sdb", btrfs_image(2, 1));
  EXPECT_FALSE(scan("btrfs"));
  EXPECT_EQ(found.missing, 0u) << "it must not be mounted at the end of the time either";
  EXPECT_THAT(devices(), IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("claim to be the same member"));
}

TEST_F(ScanDevices, MoreMatchesThanKeptAreNoOverflow) {
  for (int i = 0; i < 20; ++i) {
    add_device("sd" + std::to_string(i), btrfs_image(20, static_cast<char>(i + 1)));
  }
  EXPECT_FALSE(scan("btrfs"));
  EXPECT_EQ(found.count, std::size(found.items));
}

// Three disks of the recorded group, whose volume "ro-ot" holds an XFS.
class ScanVolumes : public ScanDevices {
 protected:
  ScanVolumes() {
    for (int i = 1; i <= 3; ++i) add_disk(i, "group-" + std::to_string(i));
    layers = {{.kind = LayerKind::kLvm, .id = kRecordedRoot, .parameters = kRecordedGroup}};
    mapper.on_create = [this] { appear(0); };
  }
  void add_disk(int number, const std::string& recording) {
    const std::string name = std::string("sd") + static_cast<char>('a' + number - 1);
    // Labels, areas and texts are in the first MiB but for the second area of one disk.
    add_device(name, recorded_lvm(recording).substr(0, 1 << 20));
    root.write("sys/" + name + "/dev", "8:" + std::to_string(number * 16) + "\n");
  }
  // As the kernel shows a device that was made, and what it lies on.
  void appear(int number) {
    const std::string name = "dm-" + std::to_string(number);
    add_device(name, xfs_image());
    root.write("sys/" + name + "/dm/uuid", mapper.uuids.back() + "\n");
    for (const char* disk : {"sda", "sdc"}) {
      root.write("sys/" + std::string(disk) + "/holders/" + name + "/dm/uuid",
                 mapper.uuids.back() + "\n");
    }
  }
};

TEST_F(ScanVolumes, VolumeIsMadeAndTheFileSystemOnItFound) {
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ElementsAre("dm-0"));
  EXPECT_THAT(mapper.names, ElementsAre("vg--a----b-ro--ot"));
  ASSERT_EQ(mapper.tables.size(), 1u);
  EXPECT_THAT(mapper.tables[0],
              ElementsAre("0 6144 linear 8:48 2048", "6144 4096 linear 8:48 16384",
                          "10240 8192 linear 8:16 6144"));
  EXPECT_EQ(found.made.view(), "vg--a----b-ro--ot");
  EXPECT_EQ(found.problems.view(), "");
}

TEST_F(ScanVolumes, StripesOfOneVolumeAreOneTarget) {
  layers[0].id = kRecordedStriped;
  EXPECT_TRUE(scan("xfs"));
  ASSERT_EQ(mapper.tables.size(), 1u);
  EXPECT_THAT(mapper.tables[0],
              ElementsAre("0 12288 striped 3 128 8:16 2048 8:32 2048 8:48 12288"));
}

TEST_F(ScanVolumes, ActiveVolumeIsNotMadeAgainAndItsDisksServeAnother) {
  EXPECT_TRUE(scan("xfs"));
  EXPECT_TRUE(scan("xfs"));
  EXPECT_EQ(mapper.names.size(), 1u);
  layers.push_back({.kind = LayerKind::kLvm, .id = kRecordedStriped, .parameters = kRecordedGroup});
  mapper.on_create = [this] { appear(1); };
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.names, ElementsAre("vg--a----b-ro--ot", "vg--a----b-str"));
}

TEST_F(ScanVolumes, NewestMetadataOfAnyDiskCounts) {
  add_disk(1, "stale-1");
  EXPECT_TRUE(scan("xfs"));
  ASSERT_EQ(mapper.tables.size(), 1u);
  EXPECT_EQ(mapper.tables[0].size(), 3u) << "the older text has no third segment";
}

TEST_F(ScanVolumes, MissingDiskIsNamedByItsId) {
  std::filesystem::remove_all(root.path("sys/sdc"));
  patient = false;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(std::string(found.problems.view()),
              ::testing::MatchesRegex(std::string("logical volume ") + kRecordedRoot +
                                      ": its physical volume "
                                      "[a-zA-Z0-9]{6}(-[a-zA-Z0-9]{4}){5}-[a-zA-Z0-9]{6} "
                                      "is missing"));
}

TEST_F(ScanVolumes, DiskThatOnlyTheGroupNeedsIsWaitedForAtFirst) {
  std::filesystem::remove_all(root.path("sys/sdb"));
  EXPECT_FALSE(scan("xfs")) << "it may hold newer metadata";
  EXPECT_THAT(mapper.names, IsEmpty());
  patient = false;
  EXPECT_TRUE(scan("xfs"));
}

TEST_F(ScanVolumes, ClonedDiskIsRefusedAndNotChosen) {
  add_disk(4, "group-3");
  patient = false;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("are both its physical volume"));
}

TEST_F(ScanVolumes, KernelThatRefusesIsAProblemAndNoLoop) {
  mapper.error = EINVAL;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_EQ(mapper.names.size(), 1u);
  EXPECT_THAT(found.problems.view(), HasSubstr("cannot make vg--a----b-ro--ot: Invalid argument"));
}

TEST_F(ScanVolumes, NothingIsMadeThatWasNotAskedFor) {
  layers.clear();
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.seen.view(), HasSubstr("sda LVM2_member"));
}

TEST_F(ScanVolumes, PhysicalVolumeOnAMirrorIsNotTakenFromItsMembers) {
  std::string image = recorded_lvm("group-3");
  image.replace(4096, 4, "\xfc\x4e\x2b\xa9");  // version 1.2
  image[4096 + 4] = 1;
  image[4096 + 144] = 8;
  root.write("dev/sdc", image);
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(), HasSubstr("is missing"));
  EXPECT_THAT(found.seen.view(), HasSubstr("sdc linux_raid_member"));
}

}  // namespace
}  // namespace kdinit
