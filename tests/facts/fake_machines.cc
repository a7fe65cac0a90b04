// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/facts/fake_machines.h"

namespace kd {
namespace {

using std::string;

constexpr std::uint64_t kSectors = 41943040;  // 20 GiB

const string kNode = "devices/pci0000:00/";

void add_pci_root(FakeRoot& root) {
  root.device("devices/pci0000:00", {.subsystem = {}, .modalias = {}, .driver = {}, .module = {}});
}

string add_ahci_disk(FakeRoot& root, const string& name, const string& number, int port) {
  add_pci_root(root);
  const string controller = kNode + "0000:00:1f.2";
  if (!std::filesystem::exists(root.path() + "/sys/" + controller + "/uevent")) {
    root.device(controller, {.subsystem = "pci",
                             .modalias = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01",
                             .driver = "ahci",
                             .module = "ahci"});
  }
  const string host = fmt::format("{}/ata{}/host{}", controller, port + 1, port);
  root.file(fmt::format("/sys/{}/ata{}/uevent", controller, port + 1));
  root.device(host, {.subsystem = "scsi", .modalias = {}, .driver = {}, .module = {}});
  const string target = fmt::format("{}/target{}:0:0", host, port);
  root.device(target, {.subsystem = "scsi", .modalias = {}, .driver = {}, .module = {}});
  const string unit = fmt::format("{}/{}:0:0:0", target, port);
  root.device(unit,
              {.subsystem = "scsi", .modalias = "scsi:t-0x00", .driver = "sd", .module = "sd_mod"});
  root.block(unit + "/block/" + name, number, kSectors);
  return unit + "/block/" + name;
}

string add_nvme_disk(FakeRoot& root) {
  add_pci_root(root);
  const string controller = kNode + "0000:00:05.0";
  root.device(controller, {.subsystem = "pci",
                           .modalias = "pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02",
                           .driver = "nvme",
                           .module = "nvme"});
  root.device(controller + "/nvme/nvme0",
              {.subsystem = "nvme", .modalias = {}, .driver = {}, .module = {}});
  const string disk = controller + "/nvme/nvme0/nvme0n1";
  root.block(disk, "259:0", kSectors);
  return disk;
}

string add_virtual(FakeRoot& root, const string& name, const string& number,
                   const std::vector<string>& slaves) {
  const string path = "devices/virtual/block/" + name;
  root.block(path, number, kSectors / 2);
  for (const string& slave : slaves) {
    root.link("/sys/" + path + "/slaves/" + slave, "/sys/class/block/" + slave);
  }
  return path;
}

void add_mapper(FakeRoot& root, const string& name, const string& number, const string& dm_name,
                const string& uuid, const std::vector<string>& slaves) {
  const string path = "/sys/" + add_virtual(root, name, number, slaves);
  root.file(path + "/dm/name", dm_name + "\n").file(path + "/dm/uuid", uuid + "\n");
  root.link("/dev/mapper/" + dm_name, "../" + name);
}

void virtio_ext4(FakeRoot& root) {
  add_virtio_disk(root, "vda", "254:0");
  root.uuid("0a1b2c3d-1111-2222-3333-444455556666", "vda");
  mounts(root, "26 1 254:0 / / rw,relatime - ext4 /dev/root rw,errors=remount-ro\n");
  root.file("/etc/fstab",
            "# a comment\n"
            "UUID=0a1b2c3d-1111-2222-3333-444455556666 / ext4 errors=remount-ro 0 1\n");
}

void ahci_gpt_ext4(FakeRoot& root) {
  const string disk = add_ahci_disk(root, "sda", "8:0", 0);
  add_partition(root, disk, "sda1", "8:1");
  add_partition(root, disk, "sda2", "8:2");
  add_partition(root, disk, "sda3", "8:3");
  root.uuid("1AB2-3C4D", "sda1").uuid("aaaaaaaa-0000-4000-8000-000000000002", "sda2");
  root.uuid("aaaaaaaa-0000-4000-8000-000000000003", "sda3");
  mounts(root,
         "26 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n"
         "40 26 8:1 / /boot/efi rw,relatime shared:9 - vfat /dev/sda1 rw,fmask=0077\n"
         "41 26 8:3 / /var rw,nosuid shared:10 master:3 - ext4 /dev/sda3 rw,discard\n");
  root.file("/etc/fstab",
            "UUID=aaaaaaaa-0000-4000-8000-000000000002 / ext4 defaults 0 1\n"
            "UUID=aaaaaaaa-0000-4000-8000-000000000003 /var ext4 nosuid,discard 0 2\n");
}

void nvme_btrfs_subvolume(FakeRoot& root) {
  add_partition(root, add_nvme_disk(root), "nvme0n1p2", "259:2");
  const string uuid = "bbbbbbbb-0000-4000-8000-000000000001";
  root.uuid(uuid, "nvme0n1p2");
  root.link("/sys/fs/btrfs/" + uuid + "/devices/nvme0n1p2", "/sys/class/block/nvme0n1p2");
  root.file("/sys/fs/btrfs/" + uuid + "/label", "system\n").directory("/sys/fs/btrfs/features");
  mounts(root,
         "26 1 0:30 /@rootfs / rw,noatime shared:1 - btrfs /dev/nvme0n1p2 "
         "rw,compress=zstd:3,ssd,subvolid=256,subvol=/@rootfs\n"
         "44 26 0:30 /@crash /var/crash rw,noatime shared:12 - btrfs /dev/nvme0n1p2 "
         "rw,compress=zstd:3,ssd,subvolid=258,subvol=/@crash\n");
  root.file("/etc/fstab", "UUID=" + uuid + " / btrfs subvol=@rootfs 0 0\n" + "UUID=" + uuid +
                              " /var/crash btrfs subvol=@crash 0 0\n");
}

void btrfs_two_disks(FakeRoot& root) {
  add_ahci_disk(root, "sda", "8:0", 0);
  add_ahci_disk(root, "sdb", "8:16", 1);
  const string uuid = "bbbbbbbb-0000-4000-8000-000000000002";
  for (const string name : {"sda", "sdb"}) {
    root.link("/sys/fs/btrfs/" + uuid + "/devices/" + name, "/sys/class/block/" + name);
  }
  mounts(root, "26 1 0:31 / / rw,relatime - btrfs /dev/sda rw,subvolid=5,subvol=/\n");
}

void lvm_xfs(FakeRoot& root) {
  add_partition(root, add_ahci_disk(root, "sda", "8:0", 0), "sda3", "8:3");
  add_mapper(root, "dm-0", "253:0", "vg0-root", "LVM-AbCdEfAbCdEfAbCdEfAbCdEfAbCdEfAb", {"sda3"});
  add_mapper(root, "dm-1", "253:1", "vg0-var", "LVM-GhIjKlGhIjKlGhIjKlGhIjKlGhIjKlGh", {"sda3"});
  root.uuid("cccccccc-0000-4000-8000-000000000001", "dm-0");
  root.uuid("cccccccc-0000-4000-8000-000000000002", "dm-1");
  mounts(root,
         "26 1 253:0 / / rw - xfs /dev/mapper/vg0-root rw,attr2,inode64\n"
         "42 26 253:1 / /var rw - xfs /dev/mapper/vg0-var rw,attr2,inode64\n");
  root.file("/etc/fstab",
            "/dev/mapper/vg0-root / xfs defaults 0 0\n"
            "/dev/mapper/vg0-var /var xfs defaults 0 0\n");
}

void luks_ext4(FakeRoot& root) {
  add_partition(root, add_nvme_disk(root), "nvme0n1p3", "259:3");
  add_mapper(root, "dm-0", "253:0", "nvme0n1p3_crypt", "CRYPT-LUKS2-0011-nvme0n1p3_crypt",
             {"nvme0n1p3"});
  root.uuid("dddddddd-0000-4000-8000-000000000001", "dm-0");
  mounts(root, "26 1 253:0 / / rw - ext4 /dev/mapper/nvme0n1p3_crypt rw\n");
}

void md_firmware(FakeRoot& root) {
  add_partition(root, add_ahci_disk(root, "sda", "8:0", 0), "sda1", "8:1");
  add_partition(root, add_ahci_disk(root, "sdb", "8:16", 1), "sdb1", "8:17");
  const string md = "/sys/" + add_virtual(root, "md0", "9:0", {"sda1", "sdb1"});
  root.file(md + "/md/level", "raid1\n");
  root.file(md + "/md/metadata_version", "external:/md127/0\n");
  root.uuid("eeeeeeee-0000-4000-8000-000000000001", "md0");
  mounts(root, "26 1 9:0 / / rw - ext4 /dev/md0 rw\n");
}

void loop_file(FakeRoot& root) {
  add_virtio_disk(root, "vda", "254:0");
  root.file("/sys/" + add_virtual(root, "loop0", "7:0", {}) + "/loop/backing_file", "/disk.img\n");
  mounts(root,
         "26 1 254:0 / / rw - ext4 /dev/vda rw\n"
         "45 26 7:0 / /var/crash rw - ext4 /dev/loop0 rw\n");
}

void nfs(FakeRoot& root) {
  add_virtio_disk(root, "vda", "254:0");
  mounts(root,
         "26 1 254:0 / / rw - ext4 /dev/vda rw\n"
         "46 26 0:47 / /var/crash rw,relatime - nfs4 server:/export/crash "
         "rw,vers=4.2,addr=192.0.2.1\n");
  root.file("/etc/fstab", "server:/export/crash /var/crash nfs4 defaults 0 0\n");
}

void tmpfs(FakeRoot& root) { mounts(root, "26 1 0:25 / / rw - tmpfs tmpfs rw,size=1024k\n"); }

void nvme_multipath(FakeRoot& root) {
  add_pci_root(root);
  const string controller = kNode + "0000:00:06.0";
  root.device(controller, {.subsystem = "pci",
                           .modalias = "pci:v0000144Dd0000A824sv0000144Dsd0000A801bc01sc08i02",
                           .driver = "nvme",
                           .module = "nvme"});
  root.device(controller + "/nvme/nvme0",
              {.subsystem = "nvme", .modalias = {}, .driver = {}, .module = {}});
  const string subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0";
  root.device(subsystem,
              {.subsystem = "nvme-subsystem", .modalias = {}, .driver = {}, .module = {}});
  root.link("/sys/" + subsystem + "/nvme0", "/sys/" + controller + "/nvme/nvme0");
  root.block(subsystem + "/nvme0n1", "259:1", kSectors);
  root.uuid("ffffffff-0000-4000-8000-000000000001", "nvme0n1");
  mounts(root, "26 1 259:1 / / rw - xfs /dev/nvme0n1 rw\n");
}

}  // namespace

void add_small_files(FakeRoot& root) {
  root.file("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 crashkernel=192M quiet\n");
  root.file("/proc/modules", "virtio_blk 28672 1 - Live 0x0\next4 1 2 - Live 0x0\n");
  root.file("/proc/iomem",
            "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n"
            "  01000000-02276507 : Kernel code\n");
  root.file("/proc/meminfo", "MemTotal:        1800000 kB\nMemFree: 5 kB\n");
  root.file("/sys/kernel/kexec_crash_size", "201326592\n");
  root.file("/usr/share/zoneinfo/Europe/Berlin", "TZif2 data\nCET-1CEST,M3.5.0,M10.5.0/3\n");
  root.link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin");
  root.directory("/var/crash");
}

void add_virtio_disk(FakeRoot& root, const string& name, const string& number) {
  add_pci_root(root);
  root.device(kNode + "0000:00:04.0", {.subsystem = "pci",
                                       .modalias = "pci:v00001AF4d00001042sv00001AF4sd00001100",
                                       .driver = "virtio-pci",
                                       .module = "virtio_pci"});
  root.device(kNode + "0000:00:04.0/virtio1", {.subsystem = "virtio",
                                               .modalias = "virtio:d00000002v00001AF4",
                                               .driver = "virtio_blk",
                                               .module = "virtio_blk"});
  root.block(kNode + "0000:00:04.0/virtio1/block/" + name, number, kSectors);
}

void add_partition(FakeRoot& root, const string& disk_path, const string& name,
                   const string& number) {
  root.block(disk_path + "/" + name, number, kSectors / 4);
  root.file("/sys/" + disk_path + "/" + name + "/partition", "1\n");
}

void mounts(FakeRoot& root, const string& mountinfo) {
  root.file("/proc/self/mountinfo",
            "21 26 0:20 / /proc rw - proc proc rw\n"
            "22 26 0:21 / /sys rw - sysfs sysfs rw\n" +
                mountinfo);
}

const std::vector<FakeMachine>& fake_machines() {
  static const std::vector<FakeMachine> machines = {
      {"virtio-ext4", virtio_ext4},
      {"ahci-gpt-ext4", ahci_gpt_ext4},
      {"nvme-btrfs-subvolume", nvme_btrfs_subvolume},
      {"nvme-multipath-xfs", nvme_multipath},
      {"btrfs-two-disks", btrfs_two_disks, "facts/gathered"},
      {"lvm-xfs", lvm_xfs, "facts/gathered"},
      {"luks-ext4", luks_ext4, "facts/gathered"},
      {"md-firmware-ext4", md_firmware, "facts/gathered"},
      {"loop", loop_file},
      {"nfs", nfs},
      {"tmpfs", tmpfs},
  };
  return machines;
}

}  // namespace kd
