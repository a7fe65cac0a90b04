// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/encrypted_volumes.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <string>

#include "tests/init/storage/encrypted_image.h"
#include "tests/init/storage/scan_fixture.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The volume of `luksFormat` on sda, which the mapper opens as dm-0.
class ScanEncrypted : public ScanDevices {
 protected:
  static constexpr const char* kVolume = "01234567-89ab-cdef-0123-456789abcdef";
  void SetUp() override {
    if (!image.run("--version")) GTEST_SKIP() << "cryptsetup is not installed";
    mapper.on_create = [this] {
      add_device("dm-0", xfs_image());
      root.write("sys/dm-0/dm/uuid", mapper.uuids.back() + "\n");
      root.write("sys/sda/holders/dm-0/dm/uuid", mapper.uuids.back() + "\n");
    };
  }
  void add_encrypted(const std::string& name, const std::string& options,
                     const char* number = "8:0") {
    ASSERT_TRUE(image.format(options + " --uuid " + kVolume)) << image.output();
    add_device(name, "");
    std::filesystem::copy_file(image.path(), root.path("dev/" + name),
                               std::filesystem::copy_options::overwrite_existing);
    root.write("sys/" + name + "/dev", std::string(number) + "\n");
  }
  EncryptedImage image;
};

TEST_F(ScanEncrypted, VolumeIsOpenedWithTheKeyOfTheImage) {
  add_encrypted("sda", "--type luks2 --sector-size 4096");
  layers = {{LayerKind::kLuks, kVolume, "image aes-xts-plain64 sda_crypt"}};
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ElementsAre("dm-0"));
  EXPECT_THAT(mapper.names, ElementsAre("sda_crypt"));
  EXPECT_THAT(mapper.uuids, ElementsAre("CRYPT-LUKS2-0123456789abcdef0123456789abcdef-sda_crypt"));
  // Of 64 MiB, 16 MiB are the header.
  EXPECT_THAT(mapper.tables[0],
              ElementsAre("0 98304 crypt aes-xts-plain64 :64:logon:kdump-cryptsetup:vk-" +
                          std::string(kVolume) +
                          " 0 8:0 32768 3 no_read_workqueue no_write_workqueue sector_size:4096"));
  EXPECT_THAT(keys.asked, ElementsAre("image " + std::string(kVolume)));
}

// The data of a pool begin with the first chunk of its first volume, a leg of a raid1 with the
// volume.
TEST_F(ScanEncrypted, PartOfALogicalVolumeIsNotASecondDisk) {
  const std::string group = "LVM-pXNy3o3ZmxoI45aitJJZIYbOIHHEX7Jn";
  add_encrypted("dm-3", "--type luks2", "253:3");
  add_encrypted("dm-4", "--type luks2", "253:4");
  root.write("sys/dm-3/dm/uuid", group + std::string(32, 'a') + "-tdata\n");
  root.write("sys/dm-3/holders/dm-4/dm/uuid", group + std::string(32, 'b') + "\n");
  root.write("sys/dm-4/dm/uuid", group + std::string(32, 'b') + "\n");
  layers = {{LayerKind::kLuks, kVolume, "image aes-xts-plain64 crypt"}};
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.names, ElementsAre("crypt"));
  EXPECT_THAT(mapper.tables.at(0).at(0), HasSubstr(" 253:4 "));
}

TEST_F(ScanEncrypted, VolumeOfTheFirstFormatIsOpenedWithTheKeyOfTheKernel) {
  add_encrypted("sda", "--type luks1 --cipher aes-cbc-essiv:sha256 --key-size 256");
  layers = {{LayerKind::kLuks, kVolume, "kernel aes-cbc-essiv:sha256 luks-x"}};
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.uuids, ElementsAre("CRYPT-LUKS1-0123456789abcdef0123456789abcdef-luks-x"));
  EXPECT_THAT(
      mapper.tables[0],
      ElementsAre("0 126976 crypt aes-cbc-essiv:sha256 :32:user:kdump-cryptsetup:vk-" +
                  std::string(kVolume) + " 0 8:0 4096 2 no_read_workqueue no_write_workqueue"));
  EXPECT_THAT(keys.asked, ElementsAre("kernel " + std::string(kVolume)));
}

TEST_F(ScanEncrypted, OtherVolumeIsLeftClosed) {
  add_encrypted("sda", "--type luks2");
  layers = {{LayerKind::kLuks, "11111111-89ab-cdef-0123-456789abcdef", "image aes-xts-plain64 x"}};
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(keys.asked, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("no disk has its header"));
  EXPECT_THAT(found.seen.view(), HasSubstr("sda crypto_LUKS"));
}

TEST_F(ScanEncrypted, CloneIsRefusedAndNotChosen) {
  add_encrypted("sda", "--type luks2");
  add_encrypted("sdb", "--type luks2", "8:16");
  layers = {{LayerKind::kLuks, kVolume, "image aes-xts-plain64 x"}};
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("more than one disk has its header"));
}

TEST_F(ScanEncrypted, VolumeThatChangedSinceIsNotOpened) {
  add_encrypted("sda", "--type luks2 --cipher aes-cbc-plain64 --key-size 256");
  layers = {{LayerKind::kLuks, kVolume, "image aes-xts-plain64 x"}};
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(), HasSubstr("its cipher is another one now"));
  ASSERT_TRUE(image.format("--type luks2 --uuid " + std::string(kVolume)));
  ASSERT_TRUE(image.run(std::string("reencrypt --init-only --resilience none ") + image.kFast +
                        "--key-file " + image.key() + " " + image.path()));
  std::filesystem::copy_file(image.path(), root.path("dev/sda"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(), HasSubstr("it is being reencrypted"));
  EXPECT_THAT(keys.asked, IsEmpty());
}

TEST_F(ScanEncrypted, MissingKeyIsAProblemThatSaysWhoGivesIt) {
  add_encrypted("sda", "--type luks2");
  layers = {{LayerKind::kLuks, kVolume, "image aes-xts-plain64 x"}};
  mapper.error = ENOKEY;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(), HasSubstr("its key is missing; kdump-config load"));
  keys.error = ENODEV;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(),
              HasSubstr("its key cannot be had from the image: No such dev"));
}

}  // namespace
}  // namespace kdinit
