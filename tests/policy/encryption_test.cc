// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a machine on LUKS needs of the capture kernel.
#include "builder/policy/encryption.h"

#include "tests/policy/decide_for.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";
constexpr const char* kOtherUuid = "11111111-89ab-cdef-0123-456789abcdef";
constexpr const char* kVolume = "cccccc-0000-0000-0000-0000-0000-000001";
constexpr const char* kGroup = "aaaaaa-0000-1111-2222-3333-4444-bbbbbb";

BlockDevice encrypted(const char* name, const char* uuid = kUuid,
                      const char* volume = "vda_crypt") {
  return {.name = name,
          .kind = BlockKind::kDeviceMapper,
          .layer = "CRYPT",
          .below = {"vda"},
          .chain = {},
          .volume = {},
          .encrypted = EncryptedVolume{uuid, volume, "aes-xts-plain64", 64, ""}};
}

// A logical volume on an encrypted disk.
MachineFacts encrypted_machine() {
  MachineFacts machine = virtio_machine();
  machine.devices = {BlockDevice{.name = "dm-1",
                                 .kind = BlockKind::kDeviceMapper,
                                 .layer = "LVM",
                                 .below = {"dm-0"},
                                 .chain = {},
                                 .volume = LogicalVolume{kGroup, kVolume, "linear", ""}},
                     encrypted("dm-0"), machine.devices[0]};
  machine.dump_mount.device = "dm-1";
  machine.loaded_modules = {"aesni_intel", "aes_x86_64", "ext4"};
  return machine;
}

KdumpConfig with_key() {
  KdumpConfig config;
  config.luks_key = "/etc/kdump/volume.key";
  return config;
}

Result<Requirements> decide_with_hand_over(const MachineFacts& machine) {
  return decide(machine, {}, {}, {}, {"1.7.2", "6.16"}, true);
}

TEST(EncryptedTarget, IsRefusedWithoutAKeyAndTheWaysOutAreNamed) {
  const auto result = decide_for(encrypted_machine());
  expect_refused(result, ErrorKind::kTargetNotSupported,
                 "vda_crypt, an encrypted volume whose key");
  for (const char* way : {"KDUMP_COREDIR", "KDUMP_LUKS_KEY", "CONFIG_CRASH_DM_CRYPT"}) {
    EXPECT_THAT(result.error().message, HasSubstr(way));
  }
}

TEST(EncryptedTarget, IsOpenedByAKeyInTheImageBelowAVolume) {
  const auto result = decide_for(encrypted_machine(), with_key());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(result->layers, ElementsAre(RequiredLayer{kdinit::LayerKind::kLvm, kVolume, kGroup},
                                          RequiredLayer{kdinit::LayerKind::kLuks, kUuid,
                                                        "image aes-xts-plain64 vda_crypt"}));
  EXPECT_THAT(wanted_names(*result),
              IsSupersetOf({"dm_crypt", "crypto-aes", "crypto-xts", "crypto-ecb", "aesni_intel"}));
  EXPECT_THAT(wanted_names(*result), Not(Contains("configfs")));
}

TEST(EncryptedTarget, IsOpenedByTheKeyThatTheKernelHandsOver) {
  const auto result = decide_with_hand_over(encrypted_machine());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->layers[1].parameters, "kernel aes-xts-plain64 vda_crypt");
  EXPECT_THAT(wanted_names(*result), Contains("configfs"));
}

TEST(EncryptedTarget, BoundsThePagesUnderWay) {
  const auto result = decide(encrypted_machine(), with_key(), {}, {"vm/dirty_bytes=1000000"});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(result->sysctls,
              ElementsAre("vm/dirty_bytes=1000000", "vm/dirty_background_bytes=1048576"))
      << "the administrator's stay";
  EXPECT_THAT(decide(virtio_machine(), {}, {}).value().sysctls, ElementsAre());
}

TEST(EncryptedTarget, IsRefusedWithWhatInitDoesNotUnderstand) {
  MachineFacts machine = encrypted_machine();
  machine.devices[1].encrypted->problem = "it is being reencrypted";
  expect_refused(decide_for(machine, with_key()), ErrorKind::kTargetNotSupported,
                 "dm-0, an encrypted volume (it is being reencrypted)");
  machine.devices[1].encrypted.reset();
  expect_refused(decide_for(machine, with_key()), ErrorKind::kTargetNotSupported,
                 "a device mapper of type CRYPT");
}

TEST(EncryptedTarget, WhoseHeaderNobodyCouldReadIsNoRefusal) {
  MachineFacts machine = encrypted_machine();
  machine.devices[1].encrypted->cipher.clear();
  expect_refused(decide_for(machine, with_key()), ErrorKind::kFailed, "run as root");
}

TEST(EncryptedTarget, OnAnotherVolumeThanTheRootHasNoFallback) {
  MachineFacts machine = encrypted_machine();
  machine.root_mount = machine.dump_mount;
  machine.root_mount->device = "dm-2";
  machine.dump_mount.mount_point = "/var/crash";
  machine.devices.push_back(encrypted("dm-2", kOtherUuid));
  const auto result = decide_for(machine, with_key());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_FALSE(result->root.has_value());
  EXPECT_THAT(result->notes, Contains(HasSubstr("the keys of several encrypted volumes")));
}

// A group whose physical volumes are both encrypted, and a btrfs on both.
TEST(EncryptedTarget, OnSeveralVolumesIsRefusedByTheirNames) {
  MachineFacts machine = encrypted_machine();
  machine.devices[0].below = {"dm-0", "dm-2"};
  machine.devices.push_back(encrypted("dm-2", kOtherUuid, "vdb_crypt"));
  const char* const refusal = "the keys of several encrypted volumes (vda_crypt, vdb_crypt)";
  expect_refused(decide_for(machine, with_key()), ErrorKind::kTargetNotSupported, refusal);
  expect_refused(decide_with_hand_over(machine), ErrorKind::kTargetNotSupported, refusal);
  machine.dump_mount.fs_type = "btrfs";
  machine.dump_mount.device = "dm-0";
  machine.dump_mount.members = {"dm-0", "dm-2"};
  expect_refused(decide_for(machine, with_key()), ErrorKind::kTargetNotSupported, refusal);
}

std::vector<std::string> modules_of(const char* cipher) {
  std::vector<modsel::Wanted> wanted;
  want_cipher(cipher, {"serpent_avx2", "aesni_intel"}, "", wanted);
  std::vector<std::string> names;
  for (const modsel::Wanted& module : wanted) {
    if (module.required) names.push_back(module.what);
  }
  return names;
}

TEST(Cipher, IsTakenApartIntoWhatTheKernelAsksFor) {
  EXPECT_THAT(modules_of("aes-xts-plain64"), ElementsAre("dm_crypt", "crypto-aes", "crypto-xts"));
  EXPECT_THAT(
      modules_of("serpent-cbc-essiv:sha256"),
      ElementsAre("dm_crypt", "crypto-serpent", "crypto-cbc", "crypto-essiv", "crypto-sha256"));
  EXPECT_THAT(modules_of("capi:xts(aes)-plain64"),
              ElementsAre("dm_crypt", "crypto-xts", "crypto-aes"));
}

}  // namespace
}  // namespace kd
