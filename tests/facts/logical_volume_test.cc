// SPDX-License-Identifier: GPL-2.0-or-later
//
// physical-volume.bin is the start of /dev/vda1 of the machine qemu-lvm-ext4
// (tests/boot/machines.py), as Debian 12's lvm left it: group deb-vg with the linear volumes root
// and var-crash.
#include "builder/facts/logical_volume.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/facts/fake_root.h"
#include "tests/init/storage/memory_device.h"

namespace kd {
namespace {

using testing::HasSubstr;

constexpr const char* kGroup = "kdump1-0000-0000-0000-0000-0000-000001";
constexpr const char* kRoot = "kdump2-0000-0000-0000-0000-0000-000002";

std::string without_dashes(std::string id) {
  std::erase(id, '-');
  return id;
}

std::string dm_uuid(const char* group, const char* volume, const char* suffix = "") {
  return "LVM-" + without_dashes(group) + without_dashes(volume) + suffix;
}

class LogicalVolumes : public testing::Test {
 protected:
  void SetUp() override {
    const std::string disk = "devices/pci0000:00/0000:00:04.0/virtio1/block/vda";
    root_.block(disk, "254:0", 1048576);
    root_.block(disk + "/vda1", "254:1", 1046495);
    root_.file("/sys/" + disk + "/vda1/partition", "1\n");
    write(content());
  }

  static std::string content() {
    std::ifstream file(std::string(KD_TEST_DATA) + "/physical-volume.bin", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void write(const std::string& start) {
    root_.file("/dev/vda1", start);
    std::filesystem::resize_file(root_.path() + "/dev/vda1", std::uint64_t{1046495} * 512);
  }

  void map(const std::string& name, const std::string& uuid, const std::vector<std::string>& on) {
    const std::string path = "devices/virtual/block/" + name;
    root_.block(path, "253:" + name.substr(3), 262144);
    root_.file("/sys/" + path + "/dm/uuid", uuid + "\n");
    for (const std::string& below : on) {
      root_.link("/sys/" + path + "/slaves/" + below, "/sys/class/block/" + below);
    }
  }

  DeviceMap read(const std::string& name) {
    DeviceMap devices;
    const RootedReader reader = root_.reader();
    add_block_device(reader, name, devices);
    read_volumes(reader, devices);
    return devices;
  }

  FakeRoot root_;
};

TEST_F(LogicalVolumes, AreDescribedByTheMetadataOfTheDisksBelow) {
  map("dm-0", dm_uuid(kGroup, kRoot), {"vda1"});
  const auto volume = read("dm-0").at("dm-0").volume;
  EXPECT_EQ(volume, (LogicalVolume{kGroup, kRoot, "linear", ""}));
}

TEST_F(LogicalVolumes, StayUnknownWhereNoDiskCanBeRead) {
  map("dm-0", dm_uuid(kGroup, kRoot), {"vda1"});
  std::filesystem::remove(root_.path() + "/dev/vda1");
  EXPECT_EQ(read("dm-0").at("dm-0").volume, (LogicalVolume{kGroup, kRoot, "", ""}));
}

TEST_F(LogicalVolumes, AreAProblemWhenEveryMetadataIsDamaged) {
  map("dm-0", dm_uuid(kGroup, kRoot), {"vda1"});
  std::string spoiled = content();
  const std::size_t newest = spoiled.rfind("seqno = 5");
  ASSERT_NE(newest, std::string::npos);
  spoiled[newest + 8] = '7';
  write(spoiled);
  const LogicalVolume volume = *read("dm-0").at("dm-0").volume;
  EXPECT_EQ(volume.layout, "");
  EXPECT_EQ(volume.problem, "damaged metadata on vda1");
}

TEST_F(LogicalVolumes, AreAProblemWhenADiskLooksLikeTheMemberOfAnArray) {
  map("dm-0", dm_uuid(kGroup, kRoot), {"vda1"});
  std::string spoiled = content();
  spoiled.replace(0, 5, std::string("\xfc\x4e\x2b\xa9\x01", 5));  // md 1.1
  write(spoiled);
  const LogicalVolume volume = *read("dm-0").at("dm-0").volume;
  EXPECT_EQ(volume.layout, "");
  EXPECT_EQ(volume.problem, "vda1 has the signature of linux_raid_member");
}

TEST_F(LogicalVolumes, AreAProblemWhenTheDisksBelongToAnotherGroup) {
  map("dm-0", dm_uuid("foreig-0000-0000-0000-0000-0000-000001", kRoot), {"vda1"});
  EXPECT_THAT(read("dm-0").at("dm-0").volume->problem,
              HasSubstr("no metadata of its volume group"));
}

TEST_F(LogicalVolumes, AreAProblemWhenTheGroupDoesNotHaveThem) {
  map("dm-0", dm_uuid(kGroup, "other0-0000-0000-0000-0000-0000-000009"), {"vda1"});
  const LogicalVolume volume = *read("dm-0").at("dm-0").volume;
  EXPECT_EQ(volume.layout, "");
  EXPECT_NE(volume.problem, "");
}

// The disks of an origin are found through what lvm put in between, which is no volume to assemble.
TEST_F(LogicalVolumes, AreFollowedThroughTheirHiddenParts) {
  map("dm-1", dm_uuid(kGroup, kRoot, "-real"), {"vda1"});
  map("dm-2", dm_uuid(kGroup, "kdump3-0000-0000-0000-0000-0000-000003"), {"vda1"});
  map("dm-0", dm_uuid(kGroup, kRoot), {"dm-1", "dm-2"});
  const DeviceMap devices = read("dm-0");
  EXPECT_EQ(devices.at("dm-0").volume->layout, "linear");
  EXPECT_FALSE(devices.at("dm-1").volume.has_value());
  EXPECT_FALSE(devices.at("dm-2").volume.has_value());
}

// The group and the pool of tests/boot/record_volumes.py.
class ThinVolumes : public LogicalVolumes {
 protected:
  void SetUp() override {
    const std::string lvm = KD_SOURCE_DIR "/tests/init/storage/lvm/";
    root_.block("devices/pci0000:00/0000:00:05.0/virtio2/block/vdc", "254:32", 262144);
    root_.file("/dev/vdc", kdinit::unpacked(lvm + "parts-3.xz"));
    write_superblock(kdinit::unpacked(lvm + "pool.xz"));
    map("dm-0", dm_uuid(kdinit::kPartsGroup, kdinit::kPartsBase, "-tmeta"), {"vdc"});
    map("dm-1", dm_uuid(kdinit::kPartsGroup, kdinit::kPartsMirror, "-tdata"), {"vdc"});
    map("dm-2", dm_uuid(kdinit::kPartsGroup, kdinit::kPartsPool, "-tpool"), {"dm-0", "dm-1"});
    map("dm-3", dm_uuid(kdinit::kPartsGroup, kdinit::kPartsThin), {"dm-2"});
  }
  void write_superblock(const std::string& superblock) {
    std::fstream disk(root_.path() + "/dev/vdc");
    disk.seekp(std::streamoff{55296} * 512);
    disk << superblock;
  }
};

TEST_F(ThinVolumes, TellWhatTheirPoolHasRoomFor) {
  const LogicalVolume volume = *read("dm-3").at("dm-3").volume;
  EXPECT_EQ(volume.layout, "thin");
  EXPECT_EQ(volume.problem, "");
  EXPECT_EQ(volume.room, 8u << 20);
}

TEST_F(ThinVolumes, LimitWhatLiesOnThem) {
  MachineFacts machine;
  for (const auto& [name, device] : read("dm-3")) machine.devices.push_back(device);
  machine.devices.push_back({.name = "dm-4", .kind = BlockKind::kDeviceMapper, .below = {"dm-3"}});
  EXPECT_EQ(pool_room(machine, "dm-4"), 8u << 20);
  EXPECT_EQ(pool_room(machine, "vdc"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(pool_room(machine, "none"), std::numeric_limits<std::uint64_t>::max());
}

TEST_F(ThinVolumes, AreAProblemForNowWithoutTheMetadataOfTheirPool) {
  write_superblock(std::string(4096, '\0'));
  const LogicalVolume volume = *read("dm-3").at("dm-3").volume;
  EXPECT_EQ(volume.layout, "thin");
  EXPECT_EQ(volume.problem, "unreadable or damaged are the metadata of its pool: pool");
}

TEST(VolumeOfUuid, IsNothingForOtherMappedDevices) {
  EXPECT_FALSE(volume_of_uuid("").has_value());
  EXPECT_FALSE(volume_of_uuid("CRYPT-LUKS2-0123").has_value());
  EXPECT_FALSE(volume_of_uuid("LVM-AbCdEf").has_value());
  EXPECT_FALSE(volume_of_uuid(dm_uuid(kGroup, kRoot, "-tpool")).has_value());
  EXPECT_EQ(volume_of_uuid(dm_uuid(kGroup, kRoot))->id, kRoot);
}

}  // namespace
}  // namespace kd
