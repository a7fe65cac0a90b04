// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/target.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr const char* kUuid = "30313233-3435-3637-3839-303132333435";

// A device that begins as an XFS, with the bytes of `id` as UUID.
std::string xfs_image(const std::string& id = "0123456789012345") {
  std::string image(4096, '\0');
  image.replace(0, 4, "XFSB");
  image.replace(32, 16, id);
  return image;
}

std::string btrfs_image(char members) {
  std::string image(70000, '\0');
  image.replace(0x10040, 8, "_BHRfS_M");
  image.replace(0x10020, 16, "0123456789012345");
  image[0x10088] = members;
  return image;
}

// A /sys/class/block and a /dev of plain files.
class ScanDevices : public ::testing::Test {
 protected:
  void add_device(const std::string& name, const std::string& content) {
    root.write("sys/" + name + "/size", "8192\n");
    root.write("dev/" + name, content);
  }
  bool scan(const char* type, const char* uuid = kUuid) {
    const std::string sys = root.path("sys"), dev = root.path("dev");
    return scan_devices({.type = type, .uuid = uuid, .timeout = 1}, {.sys_block = sys, .dev = dev},
                        found, ticker);
  }
  std::vector<std::string> devices() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < found.count; ++i) {
      names.push_back(std::filesystem::path(found.items[i].device.view()).filename());
    }
    return names;
  }
  struct CountingTicker final : Ticker {
    void tick() override { ++ticks; }
    int ticks = 0;
  };
  TemporaryDirectory root;
  Candidates found;
  CountingTicker ticker;
};

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
  add_device("sda", btrfs_image(2));
  EXPECT_FALSE(scan("btrfs"));
  add_device("sdb", btrfs_image(2));
  EXPECT_TRUE(scan("btrfs"));
  EXPECT_THAT(devices(), UnorderedElementsAre("sda", "sdb"));
}

TEST_F(ScanDevices, MoreMatchesThanKeptAreNoOverflow) {
  for (int i = 0; i < 20; ++i) add_device("sd" + std::to_string(i), btrfs_image(20));
  EXPECT_TRUE(scan("btrfs"));
  EXPECT_EQ(found.count, std::size(found.items));
}

}  // namespace
}  // namespace kdinit
