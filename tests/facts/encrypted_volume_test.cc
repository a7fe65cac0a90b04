// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/encrypted_volume.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/facts/fake_root.h"
#include "tests/init/storage/encrypted_image.h"

namespace kd {
namespace {

constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";
constexpr const char* kMapped = "CRYPT-LUKS2-0123456789abcdef0123456789abcdef-vda1_crypt";

class EncryptedVolumes : public testing::Test {
 protected:
  void SetUp() override {
    if (!image_.run("--version")) GTEST_SKIP() << "cryptsetup is not installed";
    const std::string disk = "devices/pci0000:00/0000:00:04.0/virtio1/block/vda";
    root_.block(disk, "254:0", 131072);
    root_.block(disk + "/vda1", "254:1", 131072);
    root_.file("/sys/" + disk + "/vda1/partition", "1\n");
    map("dm-0", kMapped, "vda1");
  }

  void map(const std::string& name, const std::string& uuid, const std::string& below) {
    const std::string path = "devices/virtual/block/" + name;
    root_.block(path, "253:" + name.substr(3), 98304);
    root_.file("/sys/" + path + "/dm/uuid", uuid + "\n");
    root_.link("/sys/" + path + "/slaves/" + below, "/sys/class/block/" + below);
  }

  void format(const std::string& options) {
    ASSERT_TRUE(image_.format(options + " --uuid " + kUuid)) << image_.output();
    install();
  }
  void install() {
    root_.file("/dev/vda1", "");
    std::filesystem::copy_file(image_.path(), root_.path() + "/dev/vda1",
                               std::filesystem::copy_options::overwrite_existing);
  }

  EncryptedVolume read() {
    DeviceMap devices;
    const RootedReader reader = root_.reader();
    add_block_device(reader, "dm-0", devices);
    read_encrypted_volumes(reader, devices);
    return devices.at("dm-0").encrypted.value_or(EncryptedVolume{});
  }

  FakeRoot root_;
  kdinit::EncryptedImage image_;
};

TEST_F(EncryptedVolumes, AreDescribedByTheHeaderOnTheDiskBelow) {
  format("--type luks2 --key-size 256");
  EXPECT_EQ(read(), (EncryptedVolume{kUuid, "vda1_crypt", "aes-xts-plain64", 32, ""}));
}

TEST_F(EncryptedVolumes, StayUnknownWhereNoDiskCanBeRead) {
  std::filesystem::remove(root_.path() + "/dev/vda1");
  EXPECT_EQ(read(), (EncryptedVolume{kUuid, "vda1_crypt", "", 0, ""}));
}

TEST_F(EncryptedVolumes, AreAProblemWithADetachedHeader) {
  root_.file("/dev/vda1", std::string(1 << 20, '\0'));
  EXPECT_EQ(read().problem, "its header is not on the device");
  ASSERT_TRUE(image_.format("--type luks2")) << "of an earlier use, with another UUID";
  install();
  EXPECT_EQ(read().problem, "its header is not on the device");
}

TEST_F(EncryptedVolumes, AreAProblemWhileTheyAreReencrypted) {
  format("--type luks2");
  ASSERT_TRUE(image_.run(std::string("reencrypt --init-only --resilience none ") + image_.kFast +
                         "--key-file " + image_.key() + " " + image_.path()))
      << image_.output();
  install();
  EXPECT_EQ(read().problem, "it is being reencrypted");
  EXPECT_EQ(read().cipher, "");
}

TEST_F(EncryptedVolumes, AreFollowedThroughWhatCryptsetupPutsBelow) {
  std::filesystem::remove_all(root_.path() + "/sys/devices/virtual/block/dm-0/slaves");
  map("dm-1", "CRYPT-SUBDEV-0123456789abcdef0123456789abcdef-vda1_crypt_dif", "vda1");
  root_.link("/sys/devices/virtual/block/dm-0/slaves/dm-1", "/sys/class/block/dm-1");
  format("--type luks2");
  EXPECT_EQ(read().cipher, "aes-xts-plain64");
}

TEST_F(EncryptedVolumes, AreAProblemWhenTheDiskLooksLikeTheMemberOfAnArray) {
  format("--type luks2");
  std::fstream file(root_.path() + "/dev/vda1", std::ios::binary | std::ios::in | std::ios::out);
  // Of md 1.0, as include/uapi/linux/raid/md_p.h has it: 8 KiB before the end, which it names.
  std::string superblock(256, '\0');
  superblock.replace(0, 5, std::string("\xfc\x4e\x2b\xa9\x01", 5));
  superblock.replace(144, 4, std::string("\xf0\xff\x01\x00", 4));
  file.seekp((64 << 20) - 8192).write(superblock.data(), 256);
  file.close();
  EXPECT_EQ(read().problem, "vda1 has the signature of linux_raid_member");
  EXPECT_EQ(read().cipher, "");
}

TEST(EncryptedVolumeOfUuid, IsNothingForOtherMappedDevices) {
  for (const char* uuid : {"", "LVM-abc", "CRYPT-PLAIN-vda1_crypt", "CRYPT-LUKS2-0123-x",
                           "CRYPT-LUKS2-0123456789abcdef0123456789abcdef", "CRYPT-TCRYPT-x",
                           "CRYPT-SUBDEV-0123456789abcdef0123456789abcdef-x"}) {
    EXPECT_FALSE(encrypted_volume_of_uuid(uuid).has_value()) << uuid;
  }
  EXPECT_EQ(encrypted_volume_of_uuid("CRYPT-LUKS1-0123456789abcdef0123456789abcdef-a-b")->name,
            "a-b");
}

}  // namespace
}  // namespace kd
