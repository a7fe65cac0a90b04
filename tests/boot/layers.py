# SPDX-License-Identifier: GPL-2.0-or-later
"""What the storage of a machine is made of: disks at the bottom, file systems at the top.

A layer knows only what is its own; layers_of() has those below it first. Each part of it is shell of
a guest: `make` creates it, `start` lets the kernel find it again, `stop` leaves it clean; `examine`
prints what lies on the devices below before it is started, `audit` what its tools say once it is,
`check` what they say of what is not mounted.
UUIDs are fixed, so that a record still fits a disk made later.
"""

from dataclasses import dataclass

# Where the disks of each kind appear, in their order.
NODES = {"virtio-blk": "/dev/vd{letter}", "nvme": "/dev/nvme{number}n1",
         "sd-card": "/dev/mmcblk{number}", "nvme-subsystem": "/dev/nvme{number}n1"}
ATTACH_MODULES = {"virtio-blk": "virtio_pci virtio_blk", "ahci": "ahci sd_mod", "nvme": "nvme",
                  "virtio-scsi": "virtio_pci virtio_scsi sd_mod",
                  "usb-storage": "xhci_pci usb_storage sd_mod", "usb-uas": "xhci_pci uas sd_mod",
                  "sd-card": "sdhci_pci mmc_block", "ide": "ata_piix sd_mod",
                  "sym53c8xx": "sym53c8xx sd_mod", "megaraid": "megaraid_sas sd_mod",
                  "nvme-subsystem": "nvme", "pvscsi": "vmw_pvscsi sd_mod",
                  "two-paths": "virtio_pci virtio_scsi sd_mod"}


def wait_for(node):
    return f"for n in 0 1 2 3 4 5 6 7 8 9; do [ -b {node} ] || sleep 1; done"


class Layer:
    below = ()  # the layers it stands on
    tool = ""  # of storage_tools.TOOLS
    modules = ""
    make = start = stop = examine = audit = check = ""


def layers_of(*tops):
    """The layers that `tops` stand on and they themselves, each once and after those below it."""
    found = {}
    for top in tops:
        found |= dict.fromkeys((*layers_of(*top.below), top))
    return tuple(found)


def nodes(layers):
    return " ".join(layer.node for layer in layers)


@dataclass(frozen=True)
class Disk(Layer):
    attach: str
    index: int = 0  # among those that the kernel names alike
    partition: bool = False  # a GPT with one partition instead of the whole disk
    megabytes: int = 512

    @property
    def modules(self):
        return ATTACH_MODULES[self.attach]

    @property
    def node(self):
        disk = NODES.get(self.attach, "/dev/sd{letter}").format(
            letter=chr(ord("a") + self.index), number=self.index)
        return disk + ("p1" if disk[-1].isdigit() else "1") * self.partition

    @property
    def start(self):
        return wait_for(self.node)

    make = start


@dataclass(frozen=True)
class FileSystem(Layer):
    """What is mounted somewhere."""

    on: Layer
    kind: str
    uuid: str
    mount_point: str = "/"
    subvolume: str = ""

    @property
    def below(self):
        return (self.on,)

    @property
    def modules(self):
        return self.kind + (" nls_cp437 nls_ascii" if self.kind == "vfat" else "")

    @property
    def make(self):
        identity = {"ext4": f"-U {self.uuid}", "xfs": f"-m uuid={self.uuid}",
                    "btrfs": f"-U {self.uuid}", "vfat": f"--mbr=no -i {self.uuid.replace('-', '')}"}
        quiet = "" if self.kind == "vfat" else "-q "
        return f"mkfs.{self.kind} {quiet}{identity[self.kind]} {self.on.node} || fail mkfs"

    @property
    def device(self):
        """Shell word for what is mounted: names of disks change, and of paths each has the UUID."""
        return self.on.node if self.on.tool else f"$(device_of {self.uuid})"

    @property
    def options(self):
        return f"subvol={self.subvolume}" if self.subvolume else "defaults"

    @property
    def check(self):
        command = {"ext4": "e2fsck -fn", "xfs": "xfs_repair -n", "btrfs": "btrfs check --readonly",
                   "vfat": "fsck.vfat -n"}[self.kind]
        # Who mounts a FAT that was mounted at the crash leaves its mark (fat_set_state() in
        # fs/fat/inode.c), which fsck calls an error; everything else has to be right.
        unmark = (f"head -c 1 /dev/zero | dd of={self.device} bs=1 seek=65 conv=notrunc || fail unmark\n"
                  if self.kind == "vfat" else "")
        return f"{unmark}audit {command} {self.device}"


@dataclass(frozen=True)
class Btrfs(FileSystem):
    """One btrfs on several devices."""

    on: tuple[Layer, ...]
    kind: str = "btrfs"
    uuid: str = ""
    profile: str = "raid1"  # of the data; metadata of a "single" one is there twice all the same

    @property
    def below(self):
        return self.on

    @property
    def make(self):
        metadata = "raid1" if self.profile == "single" else self.profile
        return (f"mkfs.btrfs -q -U {self.uuid} -d {self.profile} -m {metadata} {nodes(self.on)} "
                f"|| fail mkfs\n{self.start}")

    @property
    def start(self):
        return "btrfs device scan >/dev/null || fail scan"

    @property
    def device(self):
        return f"$(device_of {self.uuid})"

    @property
    def audit(self):
        return f"audit btrfs filesystem show {self.uuid}"

    @property
    def check(self):
        """As an administrator does who has got the missing device back."""
        return (f"mount -t btrfs {self.device} /mnt && audit btrfs scrub start -B /mnt && "
                f"umount /mnt || fail scrub\n{super().check}")
