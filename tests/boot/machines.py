# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines of the crash tests: recorded into tests/machines/NAME.json by ./record."""

from dataclasses import dataclass

from layers import Btrfs, Disk, FileSystem, layers_of
from logical_volumes import Group, ThinVolume, Volume
from stacks import Array, FirmwareArray, Luks, Multipath


@dataclass(frozen=True)
class Machine:
    name: str
    disks: tuple[FileSystem, ...]  # the last one holds the dump directory
    kernel: str = "bookworm"
    refused: bool = False  # recorded for its storage layer, which gets no image

    @property
    def target(self):
        return self.disks[-1]

    @property
    def layers(self):
        return layers_of(*self.disks)

    @property
    def drives(self):
        """What QEMU has to have an image for."""
        return [layer for layer in self.layers if isinstance(layer, (Disk, Multipath))]

    @property
    def has_volumes(self):
        return any(isinstance(layer, Volume) for layer in self.layers)

    @property
    def dump_folder(self):
        """Of the dump directory /var/crash, the part below the target's mount point."""
        return "var/crash" if self.target.mount_point == "/" else ""


def uuid(number):
    return f"6b64756d-7000-4000-8000-{number:012d}"


def virtio(*indices, **more):
    return tuple(Disk("virtio-blk", index, **more) for index in indices)


def scsi(count, **more):
    return tuple(Disk("virtio-scsi", index, **more) for index in range(count))


def beside_root(name, layer, number, kind="ext4", **more):
    """A machine with its dump directory on a file system of its own."""
    return Machine(name, (ROOT, FileSystem(layer, kind, uuid(number), "/var/crash")), **more)


ROOT = FileSystem(Disk("virtio-blk"), "ext4", uuid(1))
# As an installation with /var of its own makes it: dashes in all names.
DEBIAN = Group("deb-vg", virtio(0, partition=True))
STRIPED = Group("data", scsi(2))
GROWN = Group("deb-vg", (Disk("nvme", 0, megabytes=256), Disk("nvme", 1, megabytes=256)))
OTHER = Group("vg0", virtio(1, 2))
MIRRORED = Group("vg0", scsi(2))


def simple(name, attach, kind, number, *, partition=False, subvolume="", **more):
    """A machine with one disk."""
    disk = Disk(attach, partition=partition)
    return Machine(name, (FileSystem(disk, kind, uuid(number), subvolume=subvolume),), **more)


PLAIN = (
    simple("qemu-virtio-ext4", "virtio-blk", "ext4", 1),
    simple("qemu-ahci-xfs", "ahci", "xfs", 2, partition=True),
    simple("qemu-nvme-btrfs", "nvme", "btrfs", 3, subvolume="@rootfs"),
    simple("qemu-scsi-ext4", "virtio-scsi", "ext4", 4),
    Machine("qemu-usb-vfat", (ROOT, FileSystem(Disk("usb-storage"), "vfat", "4B44-0005",
                                               "/var/crash"))),
    simple("qemu-virtio-ext4-6.12", "virtio-blk", "ext4", 6, kernel="trixie"),
    simple("qemu-sd-ext4", "sd-card", "ext4", 7, partition=True),
    simple("qemu-uas-ext4", "usb-uas", "ext4", 8),
    simple("qemu-ide-ext4", "ide", "ext4", 9),
    simple("qemu-sym53c8xx-ext4", "sym53c8xx", "ext4", 10),
    simple("qemu-megaraid-ext4", "megaraid", "ext4", 11),
    simple("qemu-nvme-subsystem-ext4", "nvme-subsystem", "ext4", 13),
    simple("qemu-pvscsi-ext4", "pvscsi", "ext4", 15),
    simple("qemu-scsi-btrfs", "virtio-scsi", "btrfs", 16),
)
VOLUMES = (
    Machine("qemu-lvm-ext4", (
        FileSystem(Volume(DEBIAN, "root", "lvcreate -qq -L 128m -n root deb-vg"), "ext4", uuid(20)),
        FileSystem(Volume(DEBIAN, "var-crash", "lvcreate -qq -L 256m -n var-crash deb-vg"), "ext4",
                   uuid(21), "/var/crash"))),
    beside_root("qemu-lvm-striped-xfs", Volume(
        STRIPED, "crash", "lvcreate -qq -i 2 -I 64k -L 512m -n crash data"), 22, "xfs",
                kernel="trixie"),
    # Three segments: before the gap, after it, on the second disk.
    Machine("qemu-lvm-segments-ext4", (FileSystem(Volume(GROWN, "root", """
lvcreate -qq -L 100m -n root deb-vg /dev/nvme0n1
lvcreate -qq -L 20m -n gap deb-vg /dev/nvme0n1
lvextend -qq -L +80m deb-vg/root /dev/nvme0n1
lvextend -qq -L +100m deb-vg/root /dev/nvme1n1"""), "ext4", uuid(23)),)),
    beside_root("qemu-lvm-thin", ThinVolume(
        OTHER, "crash", "lvcreate -qq --type thin-pool -L 300m -n pool vg0\n"
        "lvcreate -qq --thin -V 256m -n crash vg0/pool\n"
        "lvcreate -qq -s -n before vg0/crash"), 24),
    beside_root("qemu-lvm-origin", Volume(
        OTHER, "crash", "lvcreate -qq -L 256m -n crash vg0\n"
        "lvcreate -qq -s -L 64m -n before vg0/crash", random_ids=True, modules="dm_snapshot"),
                25, refused=True),
    beside_root("qemu-lvm-cache", Volume(
        OTHER, "crash", "lvcreate -qq -L 256m -n crash vg0 /dev/vdb\n"
        "lvcreate -qq --type cache-pool -L 64m -n fast vg0 /dev/vdc\n"
        "lvconvert -qq -y --type cache --cachepool vg0/fast vg0/crash", random_ids=True,
        modules="dm_cache dm_cache_smq"), 26, refused=True),
    # Its disks are blank, so they are in sync without a resync.
    beside_root("qemu-lvm-raid1", Volume(
        MIRRORED, "crash", "lvcreate -qq --type raid1 -m 1 --nosync -L 256m -n crash vg0",
        modules="dm_raid raid1"), 27),
)
# Disks on virtio-scsi can be taken away, but which one is /dev/sda is left to chance.
STACKS = (
    beside_root("qemu-md-raid1", Array(scsi(2, partition=True), "1", uuid(130)), 30),
    # As /boot of an installation: the file system starts where the disk does.
    beside_root("qemu-md-raid1-1.0", Array(virtio(1, 2), "1", uuid(131), "1.0"), 31),
    beside_root("qemu-md-raid1-0.90", Array(virtio(1, 2), "1", uuid(132), "0.90"), 32),
    beside_root("qemu-md-raid10", Array(scsi(4, megabytes=256), "10", uuid(133)), 33, "xfs"),
    beside_root("qemu-md-raid5", Array(scsi(3, megabytes=256), "5", uuid(134)), 34),
    beside_root("qemu-md-firmware", FirmwareArray(scsi(2)), 45, refused=True),
    # No root beside it: what Debian's installer makes of two disks.
    Machine("qemu-lvm-md-raid1", (FileSystem(Volume(
        Group("deb-vg", (Array(scsi(2, partition=True), "1", uuid(135)),)), "root"), "ext4",
        uuid(35)),)),
    beside_root("qemu-luks2-ext4", Luks(Disk("virtio-scsi", partition=True), uuid(136)), 36,
                refused=True),
    beside_root("qemu-luks1-ext4", Luks(Disk("virtio-scsi"), uuid(137), "luks1"), 37, refused=True),
    Machine("qemu-lvm-luks", (FileSystem(Volume(
        Group("deb-vg", (Luks(Disk("virtio-scsi", partition=True), uuid(138)),)), "root"), "ext4",
        uuid(38)),), refused=True),
    beside_root("qemu-multipath-ext4", Multipath(), 39),
    beside_root("qemu-multipath-partition-xfs", Multipath(partition=True), 40, "xfs"),
    beside_root("qemu-lvm-multipath", Volume(Group("data", (Multipath(),)), "crash"), 41),
    Machine("qemu-btrfs-raid1", (Btrfs(scsi(2), uuid=uuid(42)),)),
    Machine("qemu-btrfs-raid10", (Btrfs(scsi(4, megabytes=256), uuid=uuid(43), profile="raid10"),)),
    Machine("qemu-btrfs-single", (Btrfs(scsi(2), uuid=uuid(44), profile="single"),)),
)
MACHINES = {machine.name: machine for machine in (*PLAIN, *VOLUMES, *STACKS)}
