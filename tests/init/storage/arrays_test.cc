// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/arrays.h"

#include <gmock/gmock.h>

#include <string>

#include "tests/init/storage/recorded_members.h"
#include "tests/init/storage/scan_fixture.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two disks of a mirror that mdadm made.
class ScanArrays : public ScanDevices {
 protected:
  void SetUp() override {
    add_member("sda", "8:0", "1.2-2-raid1-0");
    add_member("sdb", "8:16", "1.2-2-raid1-1");
    arrays.on_start = [this] { appear(); };
  }
  void add_member(const std::string& name, const std::string& number, const char* recording) {
    const md::Member member = md::recorded().at(recording);
    add_device(name, content_of(member));
    root.write("sys/" + name + "/dev", number + "\n");
    md::Superblock superblock;
    md::Member device = member;
    for (const md::Version version : md::kVersions) {
      if (md::read_superblock(device, version, superblock) == md::SuperblockState::kFound) break;
    }
    Text<40> uuid, id;
    md::put_uuid(superblock.array, uuid);
    md::put_member(superblock.member, id);
    uuid_ = uuid.view();
    members_ += (members_.empty() ? "" : " ") + std::string(id.view());
    layers = {{.kind = LayerKind::kMd, .id = uuid_, .parameters = members_}};
  }
  void remove(const std::string& name) { std::filesystem::remove_all(root.path("sys/" + name)); }
  void appear() {
    add_device("md0", xfs_image());
    root.write("sys/md0/md/array_state", "read-auto\n");
    for (const char* disk : {"sda", "sdb"}) {
      root.write("sys/" + std::string(disk) + "/holders/md0/size", "8192\n");
    }
  }
  std::string uuid_, members_;
};

TEST_F(ScanArrays, ArrayIsStartedAndTheFileSystemOnItFound) {
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ElementsAre("md0"));
  ASSERT_EQ(arrays.started.size(), 1u);
  EXPECT_THAT(arrays.started[0], HasSubstr("md0 3:"));
  EXPECT_THAT(arrays.started[0], HasSubstr(" 8:0"));
  EXPECT_THAT(arrays.started[0], HasSubstr(" 8:16"));
  EXPECT_EQ(found.made.view(), "md0 (raid1 with 2 of 2 disks)");
  EXPECT_TRUE(scan("xfs"));
  EXPECT_EQ(arrays.started.size(), 1u) << "it is there";
}

TEST_F(ScanArrays, MissingMemberIsWaitedForAndThenDoneWithout) {
  remove("sda");
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(), HasSubstr("its member 0 is missing"));
  patient = false;
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(arrays.started, ElementsAre("md0 3: 8:16"));
  EXPECT_EQ(found.made.view(), "md0 (raid1 with 1 of 2 disks)");
}

TEST_F(ScanArrays, KernelThatRefusesIsAProblemAndNoLoop) {
  arrays.error = EINVAL;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_EQ(arrays.started.size(), 1u);
  EXPECT_THAT(found.problems.view(), HasSubstr("cannot start md0: Invalid argument"));
}

TEST_F(ScanArrays, NothingIsStartedThatWasNotAskedFor) {
  layers.clear();
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(arrays.started, IsEmpty());
}

// Of version 1.0 the partition table of the array is that of the disk as well.
class ScanPartitionedArrays : public ScanArrays {
 protected:
  void SetUp() override {
    for (const char* name : {"sda", "sda/sda1"})
      root.write(std::string("sys/") + name + "/size", "8192\n");
    std::filesystem::create_directory_symlink("sda/sda1", root.path("sys/sda1"));
    root.write("sys/sda/sda1/partition", "1\n");
    root.write("sys/sda/sda1/start", "2048\n");
    root.write("dev/sda1", xfs_image());
  }
};

TEST_F(ScanPartitionedArrays, PartitionOfAMemberIsNeverTheTarget) {
  add_member("sda", "8:0", "1.0-2-raid1-0");
  root.write("sys/sda/sda1/size", "8192\n");
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.seen.view(), HasSubstr("sda1 linux_raid_member"));
  EXPECT_THAT(found.problems.view(), HasSubstr("its member 1 is missing"));
}

// The superblock lies where that of a last partition does.
TEST_F(ScanPartitionedArrays, DiskWhoseLastPartitionIsAMemberIsNone) {
  add_member("sda", "8:0", "1.0-2-raid1-0");
  root.write("sys/sda/sda1/size", "8000000\n");
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ElementsAre("sda1"));
  EXPECT_THAT(found.problems.view(), HasSubstr("none of its members is there"));
}

}  // namespace
}  // namespace kdinit
