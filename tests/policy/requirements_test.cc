// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/requirements.h"

#include "tests/policy/decide_for.h"

namespace kd {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

TEST(Requirements, WantsTheDriversOfTheBusAndTheFileSystem) {
  const auto result = decide_for(virtio_machine());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(wanted_names(*result), ElementsAre("virtio_blk", "virtio_pci", "ext4"));
}

TEST(Requirements, WatchdogsComeFirstAndAreNoReasonToFail) {
  MachineFacts machine = virtio_machine();
  machine.watchdogs = {{.name = "watchdog0",
                        .chain = {{.path = "devices/pci0000:00/0000:00:05.0/watchdog/watchdog0",
                                   .subsystem = "watchdog"},
                                  {.path = "devices/pci0000:00/0000:00:05.0",
                                   .subsystem = "pci",
                                   .modalias = "pci:v00008086d000025AB",
                                   .driver = "i6300ESB timer",
                                   .module = "i6300esb"}}}};
  for (const KdumpConfig& config : {KdumpConfig(), rootfs()}) {
    const auto result = decide_for(machine, config);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(wanted_names(*result).front(), "i6300esb");
    EXPECT_FALSE(result->modules.wanted.front().required);
    EXPECT_THAT(result->modules.wanted.front().reason, HasSubstr("below watchdog0"));
  }
}

TEST(Requirements, FallsBackFromDriverNameToModalias) {
  const auto result = decide_for(virtio_machine());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->modules.wanted[0].otherwise, "virtio:d00000002v00001AF4");
  EXPECT_TRUE(result->modules.wanted[0].required);
}

TEST(Requirements, AsksForABuiltinDriverByAliasBecauseTheTargetKernelMayHaveItAsModule) {
  MachineFacts machine = virtio_machine();
  machine.devices[0].chain[1].module.clear();
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(result->modules.wanted,
              Contains(testing::AllOf(Field(&modsel::Wanted::what, "pci:v00001AF4d00001001"),
                                      Field(&modsel::Wanted::required, false))));
}

TEST(Requirements, NeedsTheDriverOfACardThoughNoModuleIsKnownForIt) {
  MachineFacts machine = virtio_machine();
  machine.devices[0].chain[0] = {.path = "devices/pci0000:00/0000:00:04.0/mmc_host/mmc0/mmc0:4567",
                                 .subsystem = "mmc",
                                 .modalias = "mmc:block",
                                 .driver = "mmcblk",
                                 .module = {}};
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(result->modules.wanted,
              Contains(testing::AllOf(Field(&modsel::Wanted::what, "mmc:block"),
                                      Field(&modsel::Wanted::required, true))));
}

TEST(Requirements, FollowsAPartitionToItsDisk) {
  MachineFacts machine = virtio_machine();
  machine.devices.push_back({.name = "vda1", .kind = BlockKind::kPartition, .below = {"vda"}});
  machine.dump_mount.device = "vda1";
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(wanted_names(*result), Contains("virtio_blk"));
}

TEST(Requirements, DumpDirectoryIsBelowTheFileSystemNotTheMachine) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.mount_point = "/var";
  const auto on_var = decide_for(machine);
  ASSERT_TRUE(on_var.has_value());
  EXPECT_EQ(on_var->target.dump_directory, "/crash");

  machine.dump_mount.mount_point = "/var/crash";
  machine.dump_mount.root = "/dumps";
  const auto bind_mount = decide_for(machine);
  ASSERT_TRUE(bind_mount.has_value());
  EXPECT_EQ(bind_mount->target.dump_directory, "/dumps");
}

TEST(Requirements, MountsTheBtrfsSubvolumeThatHoldsTheDirectory) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "btrfs";
  machine.dump_mount.root = "/@rootfs";
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->target.options, "subvol=/@rootfs");
  EXPECT_EQ(result->target.dump_directory, "/var/crash");
}

TEST(Requirements, FindsABindMountInItsSubvolume) {
  MachineFacts machine = virtio_machine();
  machine.dump_directory = "/var/crash/here";
  machine.dump_mount.mount_point = "/var/crash";
  machine.dump_mount.fs_type = "btrfs";
  machine.dump_mount.root = "/@rootfs/srv/dumps";
  machine.dump_mount.options = "rw,relatime,ssd,subvolid=256,subvol=/@rootfs";
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->target.options, "subvol=/@rootfs");
  EXPECT_EQ(result->target.dump_directory, "/srv/dumps/here");
}

TEST(Requirements, RefusesAFileSystemThatNeedsASecondDevice) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.journal = "12341234-2222-3333-4444-555555555555";
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported, "an external journal");
  machine = virtio_machine();
  machine.dump_mount.fs_type = "xfs";
  machine.dump_mount.options = "rw,logdev=/dev/vdb";
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported,
                 "an external log on /dev/vdb");
}

TEST(Requirements, RefusesADeviceThatInitWouldTakeForAMemberOfAnArray) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.container = "linux_raid_member";
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported, "linux_raid_member");
}

TEST(Requirements, NotesThatADumpMayBeLargerThanAFileOnVfat) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "vfat";
  machine.ram = std::uint64_t{8} << 30;
  const auto large = decide_for(machine);
  ASSERT_TRUE(large.has_value());
  EXPECT_THAT(large->notes, ElementsAre(testing::AllOf(HasSubstr("ends at 4 GiB"),
                                                       HasSubstr("8.0 GiB of memory"))));
  machine.ram = std::uint64_t{3} << 30;
  EXPECT_THAT(decide_for(machine)->notes, testing::IsEmpty());
  machine.ram = std::uint64_t{8} << 30;
  machine.dump_mount.fs_type = "ext4";
  EXPECT_THAT(decide_for(machine)->notes, testing::IsEmpty());
}

TEST(Requirements, SaysHowToWakeAnAutomount) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "autofs";
  machine.dump_mount.mount_point = "/var/crash";
  // Not kTargetNotSupported, for which another program's image would replace one that works.
  expect_refused(decide_for(machine), ErrorKind::kFailed,
                 "below the automount /var/crash, which mounts nothing now: open that directory");
}

TEST(Requirements, LeavesTheMountOptionsOfTheRunningSystemOut) {
  const auto result = decide_for(virtio_machine());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->target.options, "");
}

struct Layer {
  BlockKind kind;
  const char* layer;
  const char* message;
};

class UnsupportedLayer : public testing::TestWithParam<Layer> {};

TEST_P(UnsupportedLayer, IsRefusedWithDeviceAndLayer) {
  MachineFacts machine = virtio_machine();
  machine.devices.push_back(
      {.name = "top", .kind = GetParam().kind, .layer = GetParam().layer, .below = {"vda"}});
  machine.dump_mount.device = "top";
  const auto result = decide_for(machine);
  expect_refused(result, ErrorKind::kTargetNotSupported, "top");
  EXPECT_THAT(result.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Layers, UnsupportedLayer,
    testing::Values(Layer{BlockKind::kDeviceMapper, "LVM", "device mapper of type LVM"},
                    Layer{BlockKind::kDeviceMapper, "CRYPT", "device mapper of type CRYPT"},
                    Layer{BlockKind::kDeviceMapper, "mpath", "device mapper of type mpath"},
                    Layer{BlockKind::kMd, "raid1", "MD RAID of type raid1"},
                    Layer{BlockKind::kLoop, "", "loop device"},
                    Layer{BlockKind::kOther, "", "unknown kind"}));

TEST(Requirements, RefusesADiskThatNoDriverOfThisMachineLeadsTo) {
  MachineFacts machine = virtio_machine();
  machine.devices[0].chain = {{.path = "devices/platform/host4/session1/target4:0:0/4:0:0:1",
                               .subsystem = "scsi",
                               .modalias = "scsi:t-0x00",
                               .driver = "sd",
                               .module = "sd_mod"},
                              {.path = "devices/platform/host4/session1",
                               .subsystem = {},
                               .modalias = {},
                               .driver = {},
                               .module = {}}};
  machine.devices.push_back({.name = "vda1", .kind = BlockKind::kPartition, .below = {"vda"}});
  machine.dump_mount.device = "vda1";
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported,
                 "/var/crash is on vda, an iSCSI disk: this storage layer is not supported");
  expect_refused(decide_for(machine, rootfs()), ErrorKind::kTargetNotSupported, "an iSCSI disk");
}

class UnsupportedFileSystem : public testing::TestWithParam<const char*> {};

TEST_P(UnsupportedFileSystem, IsRefusedByName) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = GetParam();
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported, GetParam());
}

INSTANTIATE_TEST_SUITE_P(FileSystems, UnsupportedFileSystem,
                         testing::Values("zfs", "f2fs", "fuse.ntfs-3g"));

// An image of another program would not keep such a dump either.
TEST(Requirements, ADumpThatIsGoneAfterTheRebootIsAMistakeOfTheConfiguration) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.mount_point = "/var/crash";
  machine.root_mount = virtio_machine().dump_mount;
  for (const char* type : {"tmpfs", "overlay", "squashfs", "nfs4", "cifs", "fuse.sshfs"}) {
    machine.dump_mount.fs_type = type;
    expect_refused(decide_for(machine), ErrorKind::kUsage, type);
    expect_refused(decide_for(machine, rootfs()), ErrorKind::kUsage, type);
  }
  machine.dump_mount.fs_type = "ext4";
  machine.dump_mount.device = "zram0";
  expect_refused(decide_for(machine, rootfs()), ErrorKind::kUsage, "gone after the reboot");
}

TEST(Requirements, RootOnNfsIsOnlyNothingForInit) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "nfs4";
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported, "nfs4");
}

TEST(Requirements, WantsTheDriversOfAllMembersOfAFileSystem) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "btrfs";
  machine.dump_mount.members = {"sda1", "vda"};
  machine.devices.push_back({.name = "sda1",
                             .kind = BlockKind::kPartition,
                             .layer = {},
                             .below = {"sda"},
                             .chain = {},
                             .volume = {}});
  machine.devices.push_back({.name = "sda",
                             .kind = BlockKind::kDisk,
                             .layer = {},
                             .below = {},
                             .chain = {{.path = "devices/ata1",
                                        .subsystem = "pci",
                                        .modalias = {},
                                        .driver = "ahci",
                                        .module = "ahci"}},
                             .volume = {}});
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(wanted_names(*result), IsSupersetOf({"ahci", "virtio_blk", "btrfs"}));
  EXPECT_THAT(result->target.description, StartsWith("btrfs on sda1, vda for"));

  machine.dump_mount.members.assign(kdinit::kMaxMembers + 1, "vda");
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported, "spans 17 devices");
}

TEST(Requirements, TwoPartitionsOfOneDiskAreNotBelowThemselves) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "btrfs";
  machine.dump_mount.members = {"vda1", "vda2"};
  for (const char* name : {"vda1", "vda2"}) {
    machine.devices.push_back({.name = name,
                               .kind = BlockKind::kPartition,
                               .layer = {},
                               .below = {"vda"},
                               .chain = {},
                               .volume = {}});
  }
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(wanted_names(*result), ElementsAre("virtio_blk", "virtio_pci", "btrfs"));
}

TEST(Requirements, NotToKnowTheTargetIsNoRefusalOfIt) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.uuid.clear();
  expect_refused(decide_for(machine), ErrorKind::kFailed, "UUID");
  machine.dump_mount.device.clear();
  expect_refused(decide_for(machine), ErrorKind::kFailed, "no block device");
}

TEST(Requirements, RefusesADeviceThatIsRecordedBelowItself) {
  MachineFacts machine = virtio_machine();
  machine.devices[0].below = {"vda"};
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported, "below itself");
}

TEST(Requirements, RefusesNetworkTargetsByVariable) {
  KdumpConfig config;
  config.ssh = "kdump@server";
  expect_refused(decide_for(virtio_machine(), config), ErrorKind::kTargetNotSupported, "SSH=");
}

TEST(Requirements, WritesToAFileSoFlattenedFormatIsDropped) {
  KdumpConfig config;
  config.makedump_args = "-F -l -d 17 --message-level 7";
  const auto result = decide_for(virtio_machine(), config);
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(result->dump.first, ElementsAre("-l", "-d", "17", "--message-level", "7"));
}

TEST(Requirements, SayWhyAKernelIsDumpedWithTheSafeLevel) {
  const auto result = decide(virtio_machine(), {}, {}, {}, {"1.7.8", "7.3.4-amd64"});
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(result->dump.first, ElementsAre("-c", "-d", "17"));
  EXPECT_THAT(result->dump.retry, Contains("17"));
  EXPECT_THAT(result->notes, Contains(HasSubstr("-d 17 in place of -d 31")));
  EXPECT_THAT(decide_for(virtio_machine())->notes, Not(Contains(HasSubstr("-d 17"))));
}

TEST(Requirements, KnowsTheFailureCommandsThatNeedNoShell) {
  KdumpConfig config;
  for (const auto& [command, action] :
       {std::pair{"reboot -f", kdinit::FinalAction::kReboot},
        {"/sbin/halt", kdinit::FinalAction::kHalt},
        {"systemctl poweroff --force", kdinit::FinalAction::kPoweroff}}) {
    config.fail_command = command;
    const auto result = decide_for(virtio_machine(), config);
    ASSERT_TRUE(result.has_value()) << command;
    EXPECT_EQ(result->failure_action, action) << command;
  }
}

// kdump-tools.conf(5) allows any command.
TEST(Requirements, OwnFailureCommandIsARebootWithAWarning) {
  KdumpConfig config;
  for (const char* command : {"/usr/local/sbin/kdump-failed --mail root", "reboot -f; touch /x"}) {
    config.fail_command = command;
    config.capture = "direct";
    const auto direct = decide_for(virtio_machine(), config);
    ASSERT_TRUE(direct.has_value()) << command;
    EXPECT_EQ(direct->failure_action, kdinit::FinalAction::kReboot);
    EXPECT_THAT(direct->notes, Contains(HasSubstr("KDUMP_FAIL_CMD=\"" + config.fail_command)));
    config.capture = "rootfs";
    EXPECT_THAT(decide_for(virtio_machine(), config)->notes,
                Not(Contains(HasSubstr("KDUMP_FAIL_CMD"))))
        << "the real root runs it";
  }
}

TEST(Requirements, AddsTheModulesOfTheConfigurationDirectory) {
  InitramfsConfig additions;
  additions.modules = {{.name = "netconsole", .options = "netconsole=@/,@10.0.0.1/"}};
  const auto result = decide_for(virtio_machine(), {}, additions);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->modules.wanted.back().what, "netconsole");
  EXPECT_EQ(result->modules.wanted.back().options, "netconsole=@/,@10.0.0.1/");
}

// The target on its own disk vdb, with the root on vda.
MachineFacts two_disk_machine() {
  MachineFacts machine = virtio_machine();
  machine.root_mount = machine.dump_mount;
  machine.dump_mount = {.mount_point = "/var/crash",
                        .root = "/",
                        .fs_type = "xfs",
                        .source = "/dev/vdb",
                        .options = "rw",
                        .device = "vdb",
                        .uuid = "99999999-2222-3333-4444-555555555555",
                        .journal = {},
                        .members = {},
                        .container = {}};
  BlockDevice disk = machine.devices[0];
  disk.name = "vdb";
  for (BusNode& node : disk.chain) {
    if (node.module == "virtio_blk") node.module = "disk_driver_b";
  }
  machine.devices.push_back(disk);
  return machine;
}

TEST(Requirements, DirectCaptureKnowsTheRootItIsOn) {
  const auto result = decide_for(virtio_machine());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->capture, kdinit::CaptureMode::kDirect);
  ASSERT_TRUE(result->root.has_value());
  EXPECT_EQ(result->root->uuid, result->target.uuid);
  EXPECT_THAT(result->root_modules, testing::IsEmpty());
  EXPECT_THAT(result->notes, testing::IsEmpty());
}

TEST(Requirements, DirectCaptureCarriesTheModulesOfAnotherRootWhereItCan) {
  const auto result = decide_for(two_disk_machine());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->target.dump_directory, "/");
  EXPECT_EQ(result->root->fs_type, "ext4");
  EXPECT_THAT(wanted_names(*result), ElementsAre("disk_driver_b", "virtio_pci", "xfs"));
  EXPECT_THAT(result->modules.wanted, Each(Field(&modsel::Wanted::required, true)));
  EXPECT_THAT(result->root_modules, ElementsAre(Field(&modsel::Wanted::what, "virtio_blk"),
                                                Field(&modsel::Wanted::what, "virtio_pci"),
                                                Field(&modsel::Wanted::what, "ext4")));
  EXPECT_THAT(result->root_modules, Each(Field(&modsel::Wanted::required, false)));
}

TEST(Requirements, RootThatCannotBeReachedIsNoFallbackAndANote) {
  MachineFacts machine = two_disk_machine();
  machine.root_mount->fs_type = "zfs";
  const auto result = decide_for(machine);
  ASSERT_TRUE(result.has_value());
  EXPECT_FALSE(result->root.has_value());
  EXPECT_THAT(wanted_names(*result), ElementsAre("disk_driver_b", "virtio_pci", "xfs"));
  EXPECT_THAT(result->notes,
              ElementsAre(testing::AllOf(HasSubstr("cannot fall back"), HasSubstr("/ is on zfs"))));
}

TEST(Requirements, CaptureRootfsNeedsTheRootAndNotTheTarget) {
  MachineFacts machine = two_disk_machine();
  machine.dump_mount.fs_type = "zfs";
  machine.root_mount->fs_type = "btrfs";
  machine.root_mount->root = "/@";
  const auto result = decide_for(machine, rootfs());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->capture, kdinit::CaptureMode::kRootfs);
  EXPECT_EQ(result->root->options, "subvol=/@");
  EXPECT_EQ(result->target.description, "btrfs on vda for /");
  EXPECT_THAT(wanted_names(*result), ElementsAre("virtio_blk", "virtio_pci", "btrfs"));
  EXPECT_TRUE(result->modules.wanted[0].required);
  EXPECT_THAT(result->root_modules, testing::IsEmpty());
  EXPECT_THAT(result->notes, testing::IsEmpty());
}

TEST(Requirements, CaptureRootfsOnAnUnsupportedRootIsRefused) {
  MachineFacts machine = two_disk_machine();
  machine.root_mount->fs_type = "zfs";
  expect_refused(decide_for(machine, rootfs()), ErrorKind::kTargetNotSupported,
                 "KDUMP_CAPTURE=direct");
  machine = two_disk_machine();
  machine.root_mount->root = "/srv/container";
  expect_refused(decide_for(machine, rootfs()), ErrorKind::kTargetNotSupported, "/srv/container");
  machine.root_mount.reset();
  expect_refused(decide_for(machine, rootfs()), ErrorKind::kTargetNotSupported, "mounted at /");
}

TEST(Requirements, RootWithoutItsUsrIsNeitherCaptureNorFallback) {
  MachineFacts machine = virtio_machine();
  machine.usr_source = "/dev/vda3";
  expect_refused(decide_for(machine, rootfs()), ErrorKind::kTargetNotSupported,
                 "/usr is a file system of its own (/dev/vda3)");
  const auto direct = decide_for(machine);
  ASSERT_TRUE(direct.has_value());
  EXPECT_FALSE(direct->root.has_value());
  EXPECT_THAT(direct->notes,
              ElementsAre(testing::AllOf(HasSubstr("cannot fall back"), HasSubstr("/dev/vda3"))));
}

TEST(Requirements, PassesTheSysctlsOn) {
  const auto result = decide(virtio_machine(), {}, {}, {"vm/nr_hugepages=0"});
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(result->sysctls, ElementsAre("vm/nr_hugepages=0"));
}

}  // namespace
}  // namespace kd
