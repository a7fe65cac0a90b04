// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/gather.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/facts/fake_machines.h"

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MachineFacts gathered(const FakeRoot& root, const std::string& directory = "/var/crash") {
  Result<MachineFacts> facts = gather_machine(root.reader(), directory);
  EXPECT_TRUE(facts.has_value()) << facts.error().message;
  return facts.value_or(MachineFacts{});
}

Error refused(const FakeRoot& root, const std::string& directory = "/var/crash") {
  const Result<MachineFacts> facts = gather_machine(root.reader(), directory);
  EXPECT_FALSE(facts.has_value());
  return facts ? Error{} : facts.error();
}

const BlockDevice& device(const MachineFacts& facts, std::string_view name) {
  static const BlockDevice none;
  for (const BlockDevice& device : facts.devices) {
    if (device.name == name) return device;
  }
  ADD_FAILURE() << "no device " << name;
  return none;
}

std::vector<std::string> names(const std::vector<BlockDevice>& devices) {
  std::vector<std::string> result;
  for (const BlockDevice& one : devices) result.push_back(one.name);
  return result;
}

std::vector<std::string> modules(const BlockDevice& device) {
  std::vector<std::string> result;
  for (const BusNode& node : device.chain) {
    if (!node.module.empty()) result.push_back(node.module);
  }
  return result;
}

void use_virtio_machine(FakeRoot& root) {
  add_small_files(root);
  add_virtio_disk(root, "vda", "254:0");
  mounts(root, "26 1 254:0 / / rw - ext4 /dev/vda rw\n");
}

TEST(Gather, WatchdogsOfHardwareWithTheWayToThem) {
  FakeRoot root;
  use_virtio_machine(root);
  const std::string timer = "devices/pci0000:00/0000:00:1f.0/iTCO_wdt.1.auto";
  root.device("devices/pci0000:00/0000:00:1f.0",
              {.subsystem = "pci", .modalias = "pci:x", .driver = "lpc_ich", .module = "lpc_ich"});
  root.device(timer, {.subsystem = "platform",
                      .modalias = "platform:iTCO_wdt",
                      .driver = "iTCO_wdt",
                      .module = "iTCO_wdt"});
  root.device(timer + "/watchdog/watchdog0",
              {.subsystem = "watchdog", .modalias = {}, .driver = {}, .module = {}});
  root.link("/sys/class/watchdog/watchdog0", "/sys/" + timer + "/watchdog/watchdog0");
  root.directory("/sys/devices/virtual/watchdog/watchdog1");
  root.link("/sys/class/watchdog/watchdog1", "/sys/devices/virtual/watchdog/watchdog1");
  const MachineFacts facts = gathered(root);
  ASSERT_EQ(facts.watchdogs.size(), 1u) << "softdog dies with its kernel";
  EXPECT_EQ(facts.watchdogs[0].name, "watchdog0");
  std::vector<std::string> modules;
  for (const BusNode& node : facts.watchdogs[0].chain) {
    if (!node.module.empty()) modules.push_back(node.module);
  }
  EXPECT_THAT(modules, ElementsAre("iTCO_wdt", "lpc_ich"));
}

// Every machine against its record: KD_UPDATE_GOLDEN=1 writes the records anew.
class Machine : public testing::TestWithParam<FakeMachine> {};

TEST_P(Machine, IsGatheredAsRecorded) {
  FakeRoot root;
  add_small_files(root);
  GetParam().build(root);
  MachineFacts facts = gathered(root);
  facts.architecture = "x86_64";  // of whoever runs the test
  const std::string path =
      fmt::format("{}/tests/{}/{}.json", KD_SOURCE_DIR, GetParam().records, GetParam().name);
  if (std::getenv("KD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << machine_to_json(facts);
  std::ostringstream record;
  record << std::ifstream(path).rdbuf();
  EXPECT_EQ(machine_to_json(facts), record.str()) << path;
}

std::string test_name(const testing::TestParamInfo<FakeMachine>& machine) {
  std::string name = machine.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Gather, Machine, testing::ValuesIn(fake_machines()), test_name);

MachineFacts gathered_machine(const std::string& name) {
  FakeRoot root;
  add_small_files(root);
  for (const FakeMachine& machine : fake_machines()) {
    if (machine.name == name) machine.build(root);
  }
  return gathered(root);
}

TEST(Gather, WalksFromTheDiskToTheBusRoot) {
  const MachineFacts facts = gathered_machine("ahci-gpt-ext4");
  EXPECT_EQ(facts.dump_mount.mount_point, "/var");
  EXPECT_EQ(facts.dump_mount.device, "sda3");
  EXPECT_THAT(device(facts, "sda3").below, ElementsAre("sda"));
  EXPECT_THAT(device(facts, "sda3").chain, IsEmpty());
  EXPECT_THAT(modules(device(facts, "sda")), ElementsAre("sd_mod", "ahci"));
  EXPECT_EQ(device(facts, "sda").chain.front().path,
            "devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda");
  EXPECT_EQ(device(facts, "sda").chain.back().path, "devices/pci0000:00");
}

TEST(Gather, LeavesOutDevicesTheMountDoesNotNeed) {
  EXPECT_THAT(names(gathered_machine("ahci-gpt-ext4").devices),
              ElementsAre("sda", "sda2", "sda3"));  // not sda1
}

TEST(Gather, FindsTheDeviceOfBtrfsByItsSource) {
  const MachineFacts facts = gathered_machine("nvme-btrfs-subvolume");
  EXPECT_EQ(facts.dump_mount.device, "nvme0n1p2");
  EXPECT_EQ(facts.dump_mount.root, "/@crash");
  EXPECT_EQ(facts.dump_mount.uuid, "bbbbbbbb-0000-4000-8000-000000000001");
  EXPECT_THAT(facts.dump_mount.members, IsEmpty());
  ASSERT_TRUE(facts.root_mount.has_value());
  EXPECT_EQ(facts.root_mount->root, "/@rootfs");
}

TEST(Gather, ShowsAllDevicesOfAFileSystemOnSeveral) {
  const MachineFacts facts = gathered_machine("btrfs-two-disks");
  EXPECT_THAT(facts.dump_mount.members, ElementsAre("sda", "sdb"));
  EXPECT_THAT(names(facts.devices), ElementsAre("sda", "sdb"));
}

TEST(Gather, FollowsSlavesThroughMapperAndRaid) {
  const MachineFacts lvm = gathered_machine("lvm-xfs");
  EXPECT_EQ(device(lvm, "dm-1").kind, BlockKind::kDeviceMapper);
  EXPECT_EQ(device(lvm, "dm-1").layer, "LVM");
  EXPECT_THAT(names(lvm.devices), ElementsAre("dm-0", "dm-1", "sda", "sda3"));
  const MachineFacts raid = gathered_machine("md-firmware-ext4");
  EXPECT_EQ(device(raid, "md0").layer, "raid1");
  EXPECT_THAT(device(raid, "md0").below, ElementsAre("sda1", "sdb1"));
  EXPECT_EQ(device(gathered_machine("luks-ext4"), "dm-0").layer, "CRYPT");
}

TEST(Gather, GivesAMultipathNvmeDiskTheChainOfItsController) {
  EXPECT_THAT(modules(device(gathered_machine("nvme-multipath-xfs"), "nvme0n1")),
              ElementsAre("nvme"));
}

// The bus of cards has no attribute `modalias`, and its driver no link to a module.
TEST(Gather, ReadsTheModaliasOfACardFromItsEvent) {
  FakeRoot root;
  add_small_files(root);
  const std::string card = "devices/pci0000:00/0000:00:03.0/mmc_host/mmc0/mmc0:4567";
  root.device(card, {.subsystem = "mmc", .modalias = {}, .driver = "mmcblk", .module = {}});
  root.file("/sys/" + card + "/uevent",
            "DRIVER=mmcblk\nMMC_TYPE=SD\nMMC_NAME=QEMU!\nOLD_MODALIAS=x\nMODALIAS=mmc:block\n");
  root.block(card + "/block/mmcblk0", "179:0", 100);
  mounts(root, "26 1 179:0 / / rw - ext4 /dev/mmcblk0 rw\n");
  const BlockDevice disk = device(gathered(root), "mmcblk0");
  ASSERT_GE(disk.chain.size(), 2u);
  EXPECT_EQ(disk.chain[0].modalias, "");
  EXPECT_EQ(disk.chain[1].modalias, "mmc:block");
  EXPECT_EQ(disk.chain[1].module, "");
}

// The tree of the record nvme-tcp: controllers stand below a device that is the same for all.
TEST(Gather, NamesTheTransportOfNvmeOverANetworkOnly) {
  FakeRoot root;
  add_small_files(root);
  const std::string controller = "devices/virtual/nvme-fabrics/ctl/nvme0";
  const std::string subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0";
  for (const auto& [path, name] :
       {std::pair{std::string("devices/virtual/nvme-fabrics/ctl"), "nvme-fabrics"},
        {controller, "nvme"},
        {subsystem, "nvme-subsystem"}}) {
    root.device(path, {.subsystem = name, .modalias = {}, .driver = {}, .module = {}});
  }
  root.file("/sys/" + controller + "/transport", "tcp\n");
  root.link("/sys/" + subsystem + "/nvme0", "/sys/" + controller);
  root.block(subsystem + "/nvme0n1", "259:1", 100);
  mounts(root, "26 1 259:1 / / rw - ext4 /dev/nvme0n1 rw\n");
  EXPECT_EQ(device(gathered(root), "nvme0n1").layer, "tcp");
  EXPECT_EQ(device(gathered_machine("nvme-multipath-xfs"), "nvme0n1").layer, "");
}

TEST(Gather, KeepsNoSerialNumbersOrNamesOfMapperDevices) {
  const std::string record = machine_to_json(gathered_machine("luks-ext4"));
  EXPECT_THAT(machine_to_json(gathered_machine("lvm-xfs")), Not(HasSubstr("GhIjKl")));
  EXPECT_THAT(record, Not(HasSubstr("LUKS2-0011")));
  EXPECT_THAT(record, Not(HasSubstr("mapper_name")));
}

// Stands for the kernel, which mounts what an automount has when somebody opens it.
class Automounter : public RootedReader {
 public:
  Automounter(RootedReader reader, FakeRoot& root) : RootedReader(std::move(reader)), root_(root) {}
  [[nodiscard]] Result<std::vector<std::string>> list(std::string_view path) const override {
    if (path == "/var/crash") {
      mounts(root_,
             "26 1 254:0 / / rw - ext4 /dev/vda rw\n"
             "30 26 0:40 / /var/crash rw - autofs systemd-1 rw,direct\n"
             "31 30 254:1 / /var/crash rw - xfs /dev/vda1 rw\n");
    }
    return RootedReader::list(path);
  }

 private:
  FakeRoot& root_;
};

TEST(Gather, SeesThroughAnAutomountThatNobodyHasUsedYet) {
  FakeRoot root;
  use_virtio_machine(root);
  add_partition(root, "devices/pci0000:00/0000:00:04.0/virtio1/block/vda", "vda1", "254:1");
  mounts(root,
         "26 1 254:0 / / rw - ext4 /dev/vda rw\n"
         "30 26 0:40 / /var/crash rw - autofs systemd-1 rw,direct\n");
  EXPECT_EQ(gathered(root).dump_mount.fs_type, "autofs") << "nothing mounts it";
  const auto facts = gather_machine(Automounter(root.reader(), root), "/var/crash");
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->dump_mount.fs_type, "xfs");
  EXPECT_EQ(facts->dump_mount.device, "vda1");
}

TEST(Gather, KnowsAUsrOfItsOwn) {
  FakeRoot root;
  use_virtio_machine(root);
  EXPECT_EQ(gathered(root).usr_source, "");
  const std::string slash = "26 1 254:0 / / rw - ext4 /dev/vda rw\n";
  mounts(root, slash + "30 26 0:40 / /usr rw - overlay sysext ro\n");
  EXPECT_EQ(gathered(root).usr_source, "") << "systemd-sysext";
  mounts(root, slash + "30 26 253:2 / /usr rw - ext4 /dev/mapper/vg-usr rw\n");
  EXPECT_EQ(gathered(root).usr_source, "/dev/mapper/vg-usr");
  std::filesystem::remove(root.path() + "/proc/self/mountinfo");
  root.file("/etc/fstab", "/dev/vda / ext4 defaults 0 1\n/dev/vda3 /usr ext4 defaults 0 2\n");
  EXPECT_EQ(gathered(root).usr_source, "/dev/vda3");
}

TEST(Gather, RefusesAPathThatIsNoUtf8) {
  FakeRoot root;
  use_virtio_machine(root);
  EXPECT_THAT(refused(root, "/var/caf\xe9").message,
              HasSubstr("this machine: /dump_directory: is not UTF-8"));
}

TEST(Gather, KeepsTheOptionsOfASubvolumeAsTheKernelWritesThem) {
  FakeRoot root;
  use_virtio_machine(root);
  mounts(root,
         "26 1 0:30 /@\\040x,y/srv / rw,noatime - btrfs /dev/vda "
         "rw,ssd,subvolid=256,subvol=/@\\040x,y\n");
  const DumpMount mount = gathered(root).dump_mount;
  EXPECT_EQ(mount.root, "/@ x,y/srv");
  EXPECT_THAT(mount.options, testing::EndsWith(",subvolid=256,subvol=/@ x,y"));
}

TEST(Gather, ReadsTheSmallFiles) {
  FakeRoot root;
  use_virtio_machine(root);
  const MachineFacts facts = gathered(root);
  EXPECT_EQ(facts.reservation, 192u << 20);
  EXPECT_EQ(facts.ram, 0x9ec00u + 0x7ff00000u);
  EXPECT_EQ(facts.command_line, "BOOT_IMAGE=/vmlinuz root=/dev/vda1 crashkernel=192M quiet");
  EXPECT_THAT(facts.loaded_modules, ElementsAre("ext4", "virtio_blk"));
  EXPECT_EQ(facts.time_zone, "CET-1CEST,M3.5.0,M10.5.0/3");
}

TEST(Gather, CountsDevicesThatTheTargetDoesNotNeed) {
  FakeRoot root;
  use_virtio_machine(root);
  root.directory("/sys/bus/pci/devices/0000:00:00.0")
      .directory("/sys/bus/pci/devices/0000:00:01.0");
  root.directory("/sys/bus/acpi/devices/LNXSYSTM:00");
  // A virtual function of a network card.
  root.directory("/sys/bus/pci/devices/0000:00:01.1/physfn");
  EXPECT_EQ(gathered(root).pci_devices, 2u);
  EXPECT_EQ(gathered(root).acpi_devices, 1u);
}

TEST(Gather, PrefersTheNewNameOfTheReservation) {
  FakeRoot root;
  use_virtio_machine(root);
  root.file("/sys/kernel/kexec/crash_size", "1048576\n");
  EXPECT_EQ(gathered(root).reservation, 1048576u);
}

TEST(Gather, WorksWithoutTheSmallFiles) {
  FakeRoot root;
  mounts(root, "26 1 0:25 / / rw - tmpfs tmpfs rw\n");
  const MachineFacts facts = gathered(root);
  EXPECT_EQ(facts.reservation, 0u);
  EXPECT_EQ(facts.ram, 0u);
  EXPECT_EQ(facts.time_zone, "UTC0");
  EXPECT_THAT(facts.loaded_modules, IsEmpty());
}

TEST(Gather, KnowsNoDeviceWithoutSysfs) {
  FakeRoot root;
  mounts(root, "26 1 254:0 / / rw - ext4 /dev/vda rw\n");
  const MachineFacts facts = gathered(root);
  EXPECT_EQ(facts.dump_mount.device, "");
  EXPECT_EQ(facts.dump_mount.source, "/dev/vda");
  EXPECT_THAT(facts.devices, IsEmpty());
}

TEST(Gather, FindsTheDeviceWithoutSysDevBlock) {
  FakeRoot root;
  use_virtio_machine(root);
  std::filesystem::remove_all(root.path() + "/sys/dev");
  EXPECT_EQ(gathered(root).dump_mount.device, "vda");
}

TEST(Gather, FindsAMapperDeviceByNameWithoutDev) {
  FakeRoot root;
  add_virtio_disk(root, "vda", "254:0");
  root.block("devices/virtual/block/dm-0", "253:0", 100);
  root.file("/sys/devices/virtual/block/dm-0/dm/name", "data\n");
  root.file("/etc/fstab", "/dev/mapper/data / ext4 defaults 0 1\n");
  std::filesystem::remove_all(root.path() + "/dev");
  EXPECT_EQ(gathered(root).dump_mount.device, "dm-0");
}

TEST(Gather, ReadsTheUuidFromTheDeviceBeforeTheLinks) {
  FakeRoot root;
  use_virtio_machine(root);
  root.uuid("00000000-dead-beef-0000-000000000000", "vda");
  // The superblock of an ext2 stands at 1024: magic at 0x38, UUID at 0x68, label at 0x78.
  std::string disk(1 << 20, '\0');
  disk.replace(1024 + 0x38, 2, "\x53\xef");
  for (std::size_t i = 0; i < 16; ++i) disk[1024 + 0x68 + i] = static_cast<char>(i + 1);
  disk.replace(1024 + 0x78, 5, "crash");
  root.file("/dev/vda", disk);
  const DumpMount mount = gathered(root).dump_mount;
  EXPECT_EQ(mount.uuid, "01020304-0506-0708-090a-0b0c0d0e0f10");
  EXPECT_EQ(mount.journal, "");
  // A journal (feature 4 at 0x5c) with a UUID at 0xd0 is on another device.
  disk[1024 + 0x5c] = 4;
  disk[1024 + 0xd0] = 0x42;
  root.file("/dev/vda", disk);
  EXPECT_EQ(gathered(root).dump_mount.journal, "42000000-0000-0000-0000-000000000000");
}

TEST(Gather, SignatureOfAnArrayBesideTheFileSystemIsNoticed) {
  FakeRoot root;
  use_virtio_machine(root);
  std::string disk(1 << 20, '\0');
  disk.replace(1024 + 0x38, 2, "\x53\xef");
  root.file("/dev/vda", disk);
  EXPECT_EQ(gathered(root).dump_mount.container, "");
  // Version 0.90, 64 KiB before the end.
  disk.replace(disk.size() - (64 << 10), 4, "\xfc\x4e\x2b\xa9");
  disk[disk.size() - (64 << 10) + 8] = 90;
  root.file("/dev/vda", disk);
  EXPECT_EQ(gathered(root).dump_mount.container, "linux_raid_member");
}

TEST(Gather, TakesTheUuidFromFstabAtLast) {
  FakeRoot root;
  use_virtio_machine(root);
  root.file("/etc/fstab", "UUID=\"12345678-0000-0000-0000-000000000000\" / ext4 ro 0 1\n");
  const MachineFacts facts = gathered(root);
  EXPECT_EQ(facts.dump_mount.uuid, "12345678-0000-0000-0000-000000000000");
}

TEST(Gather, TakesTheMountOfTheNearestExistingParent) {
  FakeRoot root;
  use_virtio_machine(root);
  const MachineFacts facts = gathered(root, "/srv/dumps//crash/");
  EXPECT_EQ(facts.dump_directory, "/srv/dumps/crash");
  EXPECT_EQ(facts.dump_mount.device, "vda");
}

TEST(Gather, FollowsALinkToTheDumpDirectory) {
  FakeRoot root;
  use_virtio_machine(root);
  mounts(root, "26 1 254:0 / / rw - ext4 /dev/vda rw\n30 26 0:40 / /srv rw - tmpfs tmpfs rw\n");
  root.directory("/srv/dumps").link("/crash", "/srv/dumps");
  const MachineFacts facts = gathered(root, "/crash");
  EXPECT_EQ(facts.dump_directory, "/srv/dumps");
  EXPECT_EQ(facts.dump_mount.mount_point, "/srv");
}

TEST(Gather, RefusesALinkToNowhere) {
  FakeRoot root;
  use_virtio_machine(root);
  root.link("/crash", "/srv/not-there");
  const Error error = refused(root, "/crash/today");
  EXPECT_EQ(error.kind, ErrorKind::kUsage);
  EXPECT_THAT(error.message, HasSubstr("/crash is a link to nowhere"));
}

TEST(Gather, RefusesRelativeDumpDirectories) {
  FakeRoot root;
  use_virtio_machine(root);
  for (const char* directory : {"", "var/crash", "/var/../crash", "/.."}) {
    EXPECT_EQ(refused(root, directory).kind, ErrorKind::kUsage) << directory;
  }
}

TEST(Gather, AsksFstabWithoutProc) {
  FakeRoot root;
  add_virtio_disk(root, "vda", "254:0");
  root.uuid("12345678-0000-0000-0000-000000000000", "vda");
  root.file("/etc/fstab",
            "UUID=12345678-0000-0000-0000-000000000000 / ext4 ro 0 1\n"
            "/dev/sr0 none udf noauto 0 0\n");
  const MachineFacts facts = gathered(root);
  EXPECT_EQ(facts.dump_mount.device, "vda");
  EXPECT_EQ(facts.dump_mount.root, "/");
  EXPECT_EQ(facts.dump_mount.uuid, "12345678-0000-0000-0000-000000000000");
}

TEST(Gather, SaysWhatIsMissingWithoutProcAndFstab) {
  const FakeRoot root;
  EXPECT_THAT(refused(root).message, HasSubstr("neither /proc/self/mountinfo nor /etc/fstab"));
}

TEST(Gather, SaysThatNothingHoldsTheDirectory) {
  FakeRoot root;
  root.file("/etc/fstab", "/dev/vda /srv ext4 defaults 0 1\n");
  EXPECT_THAT(refused(root).message, HasSubstr("/etc/fstab lists no mount that holds /var/crash"));
}

// A chroot with the live proc: mountinfo is that of the machine around it.
TEST(Gather, UnderstandsTheLiveProcInsideAnotherRoot) {
  FakeRoot root;
  use_virtio_machine(root);
  root.file("/proc/self/mountinfo", fmt::format("26 1 0:50 / / rw - overlay overlay rw\n"
                                                "27 26 254:0 / {0} rw - ext4 /dev/vda rw\n"
                                                "28 27 0:20 / {0}/proc rw - proc proc rw\n"
                                                "29 26 0:51 / /var rw - tmpfs tmpfs rw\n",
                                                root.path()));
  const MachineFacts facts = gathered(root);
  EXPECT_EQ(facts.dump_mount.mount_point, "/");
  EXPECT_EQ(facts.dump_mount.device, "vda");
}

TEST(Gather, PlacesARootThatIsADirectoryInsideItsMount) {
  FakeRoot root;
  use_virtio_machine(root);
  root.file("/proc/self/mountinfo", fmt::format("26 1 254:0 / / rw - ext4 /dev/vda rw\n"
                                                "28 26 0:20 / {0}/proc rw - proc proc rw\n",
                                                root.path()));
  const MachineFacts facts = gathered(root);
  EXPECT_EQ(facts.dump_mount.mount_point, "/");
  EXPECT_EQ(facts.dump_mount.root, root.path());
}

TEST(Gather, PassesOnlyWhatARecordMayHold) {
  FakeRoot root;
  use_virtio_machine(root);
  root.file("/proc/cmdline", "quiet \x01\n");
  EXPECT_THAT(refused(root).message, HasSubstr("this machine: /command_line: has a control"));
}

// In a chroot of a package build there is none.
bool root_is_mounted() {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream words(line);  // ID, parent, device, root, mount point
    std::string id, parent, device, root, place;
    if (words >> id >> parent >> device >> root >> place && place == "/") return true;
  }
  return false;
}

TEST(Gather, GathersTheMachineItRunsOn) {
  if (!root_is_mounted()) GTEST_SKIP() << "no mount holds the root directory: this is a chroot";
  const Result<MachineFacts> facts =
      gather_machine(RootedReader::open("/").value(), "/var/crash/not-there");
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_FALSE(facts->architecture.empty());
  EXPECT_EQ(*machine_from_json(machine_to_json(*facts)), *facts);
}

}  // namespace
}  // namespace kd
