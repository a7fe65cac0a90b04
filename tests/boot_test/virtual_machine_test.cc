// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/virtual_machine.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "builder/facts/machine_json.h"
#include "tests/machine_fixture.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

MachineFacts recorded(const std::string& name) {
  std::stringstream text;
  text << std::ifstream(std::string(KD_SOURCE_DIR) + "/tests/machines/" + name + ".json").rdbuf();
  return machine_from_json(text.str()).value();
}

std::string refusal(const MachineFacts& machine) {
  const Result<TestDisk> disk = test_disk(machine);
  EXPECT_FALSE(disk.has_value());
  if (disk) return "";
  EXPECT_EQ(disk.error().kind, ErrorKind::kTargetNotSupported);
  return disk.error().message;
}

TEST(TestDisk, HasTheControllerOfTheTarget) {
  const auto devices = [](const char* name) { return test_disk(recorded(name)).value().devices; };
  EXPECT_THAT(devices("qemu-virtio-ext4"), ElementsAre("virtio-blk-pci,drive=target"));
  EXPECT_THAT(devices("qemu-ahci-xfs"),
              ElementsAre("ahci,id=ahci", "ide-hd,drive=target,bus=ahci.0"));
  EXPECT_THAT(devices("qemu-scsi-ext4"),
              ElementsAre("virtio-scsi-pci,id=scsi", "scsi-hd,drive=target,bus=scsi.0"));
  EXPECT_THAT(devices("qemu-usb-vfat"),
              ElementsAre("qemu-xhci,id=xhci", "usb-storage,drive=target,bus=xhci.0"));
}

TEST(TestDisk, HasTheIdentityOfTheTarget) {
  const MachineFacts machine = virtio_machine();
  EXPECT_THAT(test_disk(machine)->make_command,
              ElementsAre("mkfs.ext4", "-q", "-F", "-U", machine.dump_mount.uuid));
  EXPECT_THAT(test_disk(recorded("qemu-usb-vfat"))->make_command,
              ElementsAre("mkfs.vfat", "-i", "4B440005"));
}

TEST(TestDisk, RefusesWhatItCannotImitate) {
  EXPECT_THAT(refusal(recorded("qemu-lvm-ext4")), HasSubstr("layers"));
  EXPECT_THAT(refusal(recorded("nvme-btrfs-subvolume")), HasSubstr("btrfs"));
  MachineFacts machine = virtio_machine();
  machine.devices.front().chain.front().driver = "mmcblk";
  EXPECT_THAT(refusal(machine), HasSubstr("no controller like that of vda"));
  machine.dump_mount.uuid.clear();
  EXPECT_THAT(refusal(machine), HasSubstr("UUID"));
}

TEST(TestDisk, LiesOnOneDiskWhereTheMachineHasLayers) {
  const auto left_out = [](const char* name) {
    const WithoutLayers result = without_layers(recorded(name));
    EXPECT_TRUE(test_disk(result.machine)) << name;
    return result.left_out;
  };
  EXPECT_THAT(left_out("qemu-virtio-ext4"), IsEmpty());
  EXPECT_THAT(left_out("qemu-lvm-ext4"), ElementsAre("LVM"));
  EXPECT_THAT(left_out("qemu-lvm-thin"), ElementsAre("LVM"));
  EXPECT_THAT(left_out("qemu-lvm-md-raid1"), ElementsAre("LVM", "raid1"));
  EXPECT_THAT(left_out("qemu-lvm-luks"), ElementsAre("LVM", "CRYPT"));
  EXPECT_THAT(left_out("qemu-lvm-multipath"), ElementsAre("LVM", "mpath"));
  EXPECT_THAT(left_out("qemu-btrfs-raid1"), ElementsAre("other disks of btrfs"));
}

TEST(QemuCommand, ReservesWhatIsTestedInMemoryThatHasRoomForIt) {
  constexpr std::uint64_t kReservation = std::uint64_t{96} << 20;
  TestMachine machine{.qemu = "/usr/bin/qemu",
                      .memory = memory_for(kReservation),
                      .command_line = first_command_line(kReservation),
                      .kernel = "/k",
                      .initrd = "/i",
                      .disk = "/d",
                      .devices = {"a", "b"}};
  std::vector<std::string> argv = qemu_command(machine);
  EXPECT_EQ(argv.front(), "/usr/bin/qemu");
  EXPECT_THAT(argv, Contains(HasSubstr("crashkernel=98304K")));
  EXPECT_THAT(argv, Contains("1216"));
  EXPECT_THAT(argv, Contains("tcg,thread=multi"));
  EXPECT_THAT(argv, Contains("-no-reboot"));
  EXPECT_THAT(std::vector<std::string>(argv.end() - 4, argv.end()),
              ElementsAre("-device", "a", "-device", "b"));
  machine.kvm = true;
  argv = qemu_command(machine);
  EXPECT_THAT(argv, Contains("kvm"));
  EXPECT_THAT(argv, Not(Contains("tcg,thread=multi")));
}

TEST(QemuCommand, DoesWithoutADisk) {
  EXPECT_THAT(qemu_command({.disk = "/d"}), Contains(HasSubstr("file=/d")));
  EXPECT_THAT(qemu_command({}), Not(Contains("-drive")));
}

TEST(FirstCommandLine, SaysWhereTheReservationLies) {
  EXPECT_THAT(first_command_line(96 << 20, 256 << 20), HasSubstr("crashkernel=98304K@256M"));
}

}  // namespace
}  // namespace kd
