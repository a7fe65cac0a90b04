// SPDX-License-Identifier: GPL-2.0-or-later
//
// Arrays as the kernel shows them, with superblocks that mdadm made.
#include "builder/facts/array.h"

#include <gmock/gmock.h>

#include "tests/facts/fake_root.h"
#include "tests/init/storage/recorded_members.h"

namespace kd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Arrays : public testing::Test {
 protected:
  // An array on all disks that were recorded under a name, vda first.
  Array read(const std::string& name, const std::string& metadata = "1.2") {
    root_.block("devices/virtual/block/md0", "9:0", 40960);
    root_.file("/sys/devices/virtual/block/md0/md/level", "raid1\n");
    root_.file("/sys/devices/virtual/block/md0/md/metadata_version", metadata + "\n");
    char letter = 'a';
    for (const auto& [key, member] : kdinit::md::recorded()) {
      if (key.substr(0, key.rfind('-')) != name) continue;
      const std::string disk = std::string("vd") + letter++;
      root_.block("devices/pci0000:00/" + disk + "/block/" + disk, "254:" + disk, 40960);
      root_.file("/dev/" + disk, content_of(member));
      root_.link("/sys/devices/virtual/block/md0/slaves/" + disk, "/sys/class/block/" + disk);
    }
    return read_again();
  }
  Array read_again() {
    DeviceMap devices;
    const RootedReader reader = root_.reader();
    add_block_device(reader, "md0", devices);
    read_arrays(reader, devices);
    return *devices.at("md0").array;
  }
  static std::vector<std::string> disks(const Array& array) {
    std::vector<std::string> names;
    for (const ArrayMember& member : array.members) names.push_back(member.device);
    return names;
  }
  FakeRoot root_;
};

TEST_F(Arrays, AreDescribedByTheirSuperblocks) {
  const Array array = read("1.2-3-raid5");
  EXPECT_EQ(array.problem, "");
  EXPECT_EQ(array.metadata, "1.2");
  EXPECT_EQ(array.disks, 3u);
  EXPECT_EQ(array.uuid.size(), 35u);
  EXPECT_THAT(disks(array), testing::ElementsAre("vda", "vdb", "vdc"));
}

TEST_F(Arrays, HaveNoMembersThatAreSpares) {
  EXPECT_THAT(disks(read("spare-1.2")), testing::ElementsAre("vda", "vdb"));
}

TEST_F(Arrays, HaveNoMembersThatHaveFailed) {
  EXPECT_THAT(disks(read("replaced-1.2")), testing::ElementsAre("vda", "vdc"));
}

TEST_F(Arrays, StayUnknownWhereNoMemberCanBeRead) {
  read("1.2-2-raid1");
  for (const char* disk : {"vda", "vdb"}) std::filesystem::remove(root_.path() + "/dev/" + disk);
  EXPECT_EQ(read_again(), Array{.metadata = "1.2"});
}

TEST_F(Arrays, AreAProblemWhereInitWouldNotStartThem) {
  EXPECT_EQ(read("journal").problem, "it has a write journal");
}

// Clean now, but not at the crash.
TEST_F(Arrays, AreAProblemWhenTheyHaveParityAndLackADisk) {
  read("1.2-3-raid5");
  std::filesystem::remove(root_.path() + "/dev/vdc");
  const Array array = read_again();
  EXPECT_THAT(array.problem, HasSubstr("degraded"));
  EXPECT_THAT(array.members, IsEmpty());
}

TEST_F(Arrays, AreAProblemWhenFirmwareMadeThem) {
  EXPECT_EQ(read("", "external:/md127/0").problem,
            "metadata of a firmware RAID, external:/md127/0");
  root_.block("devices/pci0000:00/sda/block/sda", "8:0", 40960);
  root_.link("/sys/devices/virtual/block/md0/slaves/sda", "/sys/class/block/sda");
  std::string disk(std::size_t{1} << 20, '\0');
  disk.replace(disk.size() - 1024, 24, "Intel Raid ISM Cfg Sig. ");
  root_.file("/dev/sda", disk);
  EXPECT_EQ(read_again().problem, "metadata of a firmware RAID, isw_raid_member");
}

}  // namespace
}  // namespace kd
