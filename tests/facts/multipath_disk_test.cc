// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/multipath_disk.h"

#include <gtest/gtest.h>

#include "builder/init/storage/multipath_id.h"
#include "tests/facts/fake_root.h"

namespace kd {
namespace {

constexpr const char* kUuid = "mpath-3600140512345678";

// Two paths, as an array with ALUA shows them.
class MultipathDiskTest : public ::testing::Test {
 protected:
  MultipathDiskTest() {
    path("sda", "naa.600140512345678");
    path("sdb", "naa.600140512345678");
    root.file("/sys/class/block/sda/device/dh_state", "alua\n");
    root.file("/sys/class/block/sdb/device/dh_state", "detached\n");
  }
  void path(const std::string& name, const std::string& wwid) {
    root.file("/sys/class/block/" + name + "/device/wwid", wwid + "\n");
  }
  std::optional<MultipathDisk> find(const char* uuid, const std::vector<std::string>& below) {
    return find_multipath(root.reader(), uuid, below);
  }
  FakeRoot root;
};

std::string digest() {
  kdinit::Text<17> text;
  kdinit::multipath::put_digest(kdinit::multipath::digest("naa.600140512345678"), text);
  return std::string(text.view());
}

TEST_F(MultipathDiskTest, IsKnownByADigestOfTheIdentityThatItsPathsShow) {
  const auto disk = find(kUuid, {"sda", "sdb"});
  ASSERT_TRUE(disk.has_value());
  EXPECT_EQ(*disk, (MultipathDisk{digest(), 0, 2, "alua", ""}));
}

TEST_F(MultipathDiskTest, APartitionHasTheIdentityOfItsDisk) {
  const auto disk = find("part3-mpath-3600140512345678", {"dm-0"});
  ASSERT_TRUE(disk.has_value());
  EXPECT_EQ(*disk, (MultipathDisk{digest(), 3, 0, "", ""}));
}

TEST_F(MultipathDiskTest, SaysWhatInitWouldNotFindAgain) {
  path("sdd", "naa.600140500000000");
  EXPECT_EQ(find(kUuid, {"sda", "sdd"})->problem, "its path sdd has another identity in /sys");
  EXPECT_EQ(find(kUuid, {"sda", "sdc"})->problem, "its path sdc has no identity in /sys");
  EXPECT_EQ(find(kUuid, {})->problem, "it has no path");
  EXPECT_EQ(find("mpath-SQEMU_1", {"sda"})->problem, "its identity is neither of NAA nor EUI-64");
}

TEST_F(MultipathDiskTest, OtherMappedDevicesAreNone) {
  for (const char* uuid : {"LVM-x", "CRYPT-LUKS2-x", "", "part1-x", "partx-mpath-3600", "mpath"}) {
    EXPECT_FALSE(find(uuid, {"sda"}).has_value()) << uuid;
  }
}

}  // namespace
}  // namespace kd
