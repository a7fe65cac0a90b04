# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines of the crash tests: recorded into tests/machines/NAME.json by ./record.

UUIDs are fixed, so that a record still fits a disk made later.
"""

from dataclasses import dataclass

# Where a disk of each kind appears when it is the only one of its kind.
NODES = {"virtio-blk": "/dev/vda", "ahci": "/dev/sda", "virtio-scsi": "/dev/sda",
         "usb-storage": "/dev/sda", "nvme": "/dev/nvme0n1", "usb-uas": "/dev/sda",
         "sd-card": "/dev/mmcblk0", "ide": "/dev/sda", "sym53c8xx": "/dev/sda",
         "megaraid": "/dev/sda", "nvme-subsystem": "/dev/nvme0n1",
         "pvscsi": "/dev/sda"}
ATTACH_MODULES = {"virtio-blk": "virtio_pci virtio_blk", "ahci": "ahci sd_mod", "nvme": "nvme",
                  "virtio-scsi": "virtio_pci virtio_scsi sd_mod",
                  "usb-storage": "xhci_pci usb_storage sd_mod", "usb-uas": "xhci_pci uas sd_mod",
                  "sd-card": "sdhci_pci mmc_block", "ide": "ata_piix sd_mod",
                  "sym53c8xx": "sym53c8xx sd_mod", "megaraid": "megaraid_sas sd_mod",
                  "nvme-subsystem": "nvme",
                  "pvscsi": "vmw_pvscsi sd_mod"}


class FileSystem:
    """What is mounted somewhere: on a Disk or on a Volume."""

    subvolume = ""

    @property
    def modules(self):
        names = f"{ATTACH_MODULES[self.attach]} {self.file_system}"
        return names + (" nls_cp437 nls_ascii" if self.file_system == "vfat" else "")

    @property
    def mkfs(self):
        identity = {"ext4": f"-q -U {self.uuid}", "xfs": f"-q -m uuid={self.uuid}",
                    "btrfs": f"-q -U {self.uuid}", "vfat": f"--mbr=no -i {self.uuid.replace('-', '')}"}
        return f"mkfs.{self.file_system} {identity[self.file_system]} {self.node}"

    @property
    def options(self):
        return f"subvol={self.subvolume}" if self.subvolume else "defaults"


def wait_for(nodes):
    return "\n".join(f"for n in 0 1 2 3 4 5 6 7 8 9; do [ -b {node} ] || sleep 1; done"
                     for node in nodes)


@dataclass(frozen=True)
class Disk(FileSystem):
    attach: str
    file_system: str
    uuid: str
    mount_point: str = "/"
    partition: bool = False  # a GPT with one partition instead of the whole disk
    subvolume: str = ""
    megabytes: int = 512

    audit = ""  # shell that prints what no capture may change

    @property
    def node(self):
        disk = NODES[self.attach]
        return disk + ("p1" if disk[-1].isdigit() else "1") * self.partition

    @property
    def drives(self):
        return (self,)

    @property
    def bring_up(self):
        """Shell that lets the kernel find the file system."""
        return f"load {self.modules}"

    @property
    def create(self):
        return f"{self.bring_up}\n{wait_for([self.node])}"


@dataclass(frozen=True)
class Member:
    """One of the disks of a group."""

    attach: str
    partition: bool
    megabytes: int


@dataclass(frozen=True)
class Group:
    """An LVM volume group on disks of one kind."""

    name: str
    attach: str
    nodes: tuple[str, ...]  # of its physical volumes, as the machine that makes them finds them
    partition: bool = False
    megabytes: int = 512

    @property
    def drives(self):
        return tuple(Member(self.attach, self.partition, self.megabytes) for _ in self.nodes)


# Every id of the volume group gets a fixed one, so that a record fits a group that is made later.
# `lvm` takes them from an edited copy of the metadata; those of physical volumes it takes as they are.
FIXED_IDS = """
lvm vgchange -qq -an {group} && lvm vgcfgbackup -qq -f /group {group} || fail vgcfgbackup
awk '/physical_volumes/ {{ p = 1 }} /logical_volumes/ {{ p = 0 }}
     !p && /^[ \\t]*id = / {{ n++; $3 = sprintf("\\"kdump%d-0000-0000-0000-0000-0000-%06d\\"", n, n) }}
     {{ print }}' /group > /group.fixed
lvm vgcfgrestore -qq -f /group.fixed {group} && lvm vgchange -qq -ay {group} || fail vgcfgrestore
"""


@dataclass(frozen=True)
class Volume(FileSystem):
    """A logical volume of a group."""

    group: Group
    name: str
    file_system: str
    uuid: str
    mount_point: str = "/"
    layout: str = ""  # lvm commands that make it, in the place of lvcreate -l 50%FREE
    random_ids: bool = False  # of what lvm would not restore from an edited copy
    targets: str = ""  # modules of the device mapper beside dm_mod

    @property
    def attach(self):
        return self.group.attach

    @property
    def node(self):
        return f"/dev/{self.group.name}/{self.name}"

    @property
    def drives(self):
        return self.group.drives

    @property
    def bring_up(self):
        return "\n".join((f"load {self.modules} dm_mod {self.targets}", wait_for(self.group.nodes[-1:]),
                          f"lvm vgchange -qq -ay {self.group.name} || fail vgchange"))

    @property
    def audit(self):
        """What lvm thinks of the group, and a digest of the volume "kept", if a case has made one."""
        kept = f"/dev/{self.group.name}/kept"
        return (f"lvm vgck {self.group.name} || fail vgck\n"
                f'[ ! -b {kept} ] || echo "guest: kept $(md5sum < {kept})"')

    @property
    def create(self):
        group = self.group
        commands = self.layout or f"lvcreate -l 50%FREE -n {self.name} {group.name}"
        lines = [f"load {self.modules} dm_mod {self.targets}", wait_for(group.nodes),
                 f"if ! lvm vgs {group.name} >/dev/null 2>&1; then"]
        lines += [f"lvm pvcreate -qq --norestorefile -u kdump0-0000-0000-0000-0000-0000-00000{index} "
                  f"{node} || fail pvcreate" for index, node in enumerate(group.nodes)]
        lines += [f"lvm vgcreate -qq {group.name} {' '.join(group.nodes)} || fail vgcreate", "fi"]
        lines += [f"lvm {command} || fail {command.split()[0]}"
                  for command in commands.strip().splitlines()]
        if not self.random_ids:
            lines.append(FIXED_IDS.format(group=group.name))
        return "\n".join(lines)


@dataclass(frozen=True)
class Machine:
    name: str
    disks: tuple[Disk | Volume, ...]  # the last one holds the dump directory
    kernel: str = "bookworm"
    refused: bool = False  # recorded for its storage layer, which gets no image

    @property
    def target(self):
        return self.disks[-1]

    @property
    def drives(self):
        """All disks, those of a group that holds several file systems once."""
        places = dict.fromkeys(getattr(disk, "group", disk) for disk in self.disks)
        return [drive for place in places for drive in place.drives]

    @property
    def has_volumes(self):
        return any(isinstance(disk, Volume) for disk in self.disks)

    @property
    def dump_folder(self):
        """Of the dump directory /var/crash, the part below the target's mount point."""
        return "var/crash" if self.target.mount_point == "/" else ""


def uuid(number):
    return f"6b64756d-7000-4000-8000-{number:012d}"


ROOT = Disk("virtio-blk", "ext4", uuid(1))
# As an installation with /var of its own makes it: dashes in all names.
DEBIAN = Group("deb-vg", "virtio-blk", ("/dev/vda1",), partition=True)
STRIPED = Group("data", "virtio-scsi", ("/dev/sda", "/dev/sdb"))
GROWN = Group("deb-vg", "nvme", ("/dev/nvme0n1", "/dev/nvme1n1"), megabytes=256)
OTHER = Group("vg0", "virtio-blk", ("/dev/vdb", "/dev/vdc"))

MACHINES = {machine.name: machine for machine in (
    Machine("qemu-virtio-ext4", (ROOT,)),
    Machine("qemu-ahci-xfs", (Disk("ahci", "xfs", uuid(2), partition=True),)),
    Machine("qemu-nvme-btrfs", (Disk("nvme", "btrfs", uuid(3), subvolume="@rootfs"),)),
    Machine("qemu-scsi-ext4", (Disk("virtio-scsi", "ext4", uuid(4)),)),
    Machine("qemu-usb-vfat", (ROOT, Disk("usb-storage", "vfat", "4B44-0005", "/var/crash"))),
    Machine("qemu-virtio-ext4-6.12", (Disk("virtio-blk", "ext4", uuid(6)),), kernel="trixie"),
    Machine("qemu-sd-ext4", (Disk("sd-card", "ext4", uuid(7), partition=True),)),
    Machine("qemu-uas-ext4", (Disk("usb-uas", "ext4", uuid(8)),)),
    Machine("qemu-ide-ext4", (Disk("ide", "ext4", uuid(9)),)),
    Machine("qemu-sym53c8xx-ext4", (Disk("sym53c8xx", "ext4", uuid(10)),)),
    Machine("qemu-megaraid-ext4", (Disk("megaraid", "ext4", uuid(11)),)),
    Machine("qemu-nvme-subsystem-ext4", (Disk("nvme-subsystem", "ext4", uuid(13)),)),
    Machine("qemu-pvscsi-ext4", (Disk("pvscsi", "ext4", uuid(15)),)),
    Machine("qemu-lvm-ext4", (
        Volume(DEBIAN, "root", "ext4", uuid(20), layout="lvcreate -qq -L 128m -n root deb-vg"),
        Volume(DEBIAN, "var-crash", "ext4", uuid(21), "/var/crash",
               layout="lvcreate -qq -L 256m -n var-crash deb-vg"))),
    Machine("qemu-lvm-striped-xfs", (ROOT, Volume(
        STRIPED, "crash", "xfs", uuid(22), "/var/crash",
        layout="lvcreate -qq -i 2 -I 64k -L 512m -n crash data")), kernel="trixie"),
    # Three segments: before the gap, after it, on the second disk.
    Machine("qemu-lvm-segments-ext4", (Volume(GROWN, "root", "ext4", uuid(23), layout="""
lvcreate -qq -L 100m -n root deb-vg /dev/nvme0n1
lvcreate -qq -L 20m -n gap deb-vg /dev/nvme0n1
lvextend -qq -L +80m deb-vg/root /dev/nvme0n1
lvextend -qq -L +100m deb-vg/root /dev/nvme1n1"""),)),
    Machine("qemu-lvm-thin", (ROOT, Volume(
        OTHER, "crash", "ext4", uuid(24), "/var/crash", random_ids=True, targets="dm_thin_pool",
        layout="lvcreate -qq --type thin-pool -L 300m -n pool vg0\n"
               "lvcreate -qq --thin -V 256m -n crash vg0/pool")), refused=True),
    Machine("qemu-lvm-origin", (ROOT, Volume(
        OTHER, "crash", "ext4", uuid(25), "/var/crash", random_ids=True, targets="dm_snapshot",
        layout="lvcreate -qq -L 256m -n crash vg0\nlvcreate -qq -s -L 64m -n before vg0/crash")),
            refused=True),
    Machine("qemu-lvm-cache", (ROOT, Volume(
        OTHER, "crash", "ext4", uuid(26), "/var/crash", random_ids=True, targets="dm_cache dm_cache_smq",
        layout="lvcreate -qq -L 256m -n crash vg0 /dev/vdb\n"
               "lvcreate -qq --type cache-pool -L 64m -n fast vg0 /dev/vdc\n"
               "lvconvert -qq -y --type cache --cachepool vg0/fast vg0/crash")), refused=True),
    Machine("qemu-lvm-raid1", (ROOT, Volume(
        OTHER, "crash", "ext4", uuid(27), "/var/crash", random_ids=True, targets="dm_raid raid1",
        layout="lvcreate -qq --type raid1 -m 1 -L 256m -n crash vg0")), refused=True),
)}
