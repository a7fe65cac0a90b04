# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines of the crash tests: recorded into tests/machines/NAME.json by ./record.

UUIDs are fixed, so that a record still fits a disk made later.
"""

from dataclasses import dataclass

# Where a disk of each kind appears when it is the only one of its kind.
NODES = {"virtio-blk": "/dev/vda", "ahci": "/dev/sda", "virtio-scsi": "/dev/sda",
         "usb-storage": "/dev/sda", "nvme": "/dev/nvme0n1", "usb-uas": "/dev/sda",
         "sd-card": "/dev/mmcblk0", "ide": "/dev/sda", "sym53c8xx": "/dev/sda",
         "megaraid": "/dev/sda", "nvme-subsystem": "/dev/nvme0n1"}
ATTACH_MODULES = {"virtio-blk": "virtio_pci virtio_blk", "ahci": "ahci sd_mod", "nvme": "nvme",
                  "virtio-scsi": "virtio_pci virtio_scsi sd_mod",
                  "usb-storage": "xhci_pci usb_storage sd_mod", "usb-uas": "xhci_pci uas sd_mod",
                  "sd-card": "sdhci_pci mmc_block", "ide": "ata_piix sd_mod",
                  "sym53c8xx": "sym53c8xx sd_mod", "megaraid": "megaraid_sas sd_mod",
                  "nvme-subsystem": "nvme"}


@dataclass(frozen=True)
class Disk:
    attach: str
    file_system: str
    uuid: str
    mount_point: str = "/"
    partition: bool = False  # a GPT with one partition instead of the whole disk
    subvolume: str = ""
    megabytes: int = 512

    @property
    def node(self):
        disk = NODES[self.attach]
        return disk + ("p1" if disk[-1].isdigit() else "1") * self.partition

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


@dataclass(frozen=True)
class Machine:
    name: str
    disks: tuple[Disk, ...]  # the last one holds the dump directory
    kernel: str = "bookworm"

    @property
    def target(self):
        return self.disks[-1]

    @property
    def dump_folder(self):
        """Of the dump directory /var/crash, the part below the target's mount point."""
        return "var/crash" if self.target.mount_point == "/" else ""


def uuid(number):
    return f"6b64756d-7000-4000-8000-{number:012d}"


ROOT = Disk("virtio-blk", "ext4", uuid(1))

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
)}
