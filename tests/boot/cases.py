# SPDX-License-Identifier: GPL-2.0-or-later
"""The crash tests, one line each in CASES; ./run_case NAME runs one."""

from collections.abc import Callable
from dataclasses import dataclass

import hungry
import judge
import real_root
import userland
import volume_key
from crash import PANIC
from layers import Disk, FileSystem
from machines import MACHINES, uuid
from qemu import Change

# Leaves 4 MiB on the target (ext4, blocks of 4 KiB): enough for the log, not for a dump. Blocks
# reserved for root count as free, since the capture kernel is root; reserved_clusters do not.
FILL = """
free=$(($(stat -f -c %f $target) - $(cat /sys/fs/ext4/vda/reserved_clusters)))
fallocate -l $(((free - 1024) * 4096)) $target/kept-fill || fail fill
"""
# A boot sector without clusters: the UUID is found, the file system cannot be mounted.
DESTROY = """
umount $target
head -c 1 /dev/zero | dd of=$(device_of 4B44-0005) bs=1 seek=13 conv=notrunc || fail destroy
target=/mnt0
"""
# Armed and answered each second until the panic; makedumpfile takes longer than its 30 s.
ARM = """
load i6300esb
watchdog -T 30 -t 1 /dev/watchdog0 || fail watchdog
sleep 2
grep -q active /sys/class/watchdog/watchdog0/state || fail "the watchdog is not armed"
"""
I6300ESB = ("-device", "i6300esb,addr=0x1e", "-action", "watchdog=reset")
WATCHDOG = {"watchdogs": [{"name": "watchdog0", "chain": [
    {"path": "devices/pci0000:00/0000:00:1e.0", "subsystem": "pci",
     "modalias": "pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00",
     "driver": "i6300ESB timer", "module": "i6300esb"}]}]}
# The image does not know of it: the first 40 MiB of the target, its superblock among them, move to
# the other disk, and another volume takes their place.
MOVE = """
load dm_mirror
lvm pvmove -qq -i 1 /dev/nvme0n1:0-9 /dev/nvme1n1 || fail pvmove
lvm lvcreate -qq -y -l 10 -n kept deb-vg /dev/nvme0n1:0-9 || fail lvcreate
lvm lvextend -qq -l +5 deb-vg/root /dev/nvme1n1 || fail lvextend
dd if=/dev/urandom of=/dev/deb-vg/kept bs=1M count=40 conv=fsync || fail dd
"""
# Writing to an origin without its snapshots would break them.
SNAPSHOT = """
load dm_snapshot
lvm lvcreate -qq -s -l 20 -n kept deb-vg/var-crash || fail lvcreate
"""
# Another volume takes all but {left} MiB of the pool, of which the image does not know. By steps: the
# file system still zeroes its tables of inodes.
FILL_POOL = """
lvm lvcreate -qq --thin -V 300m -n kept vg0/pool || fail lvcreate
for step in $(seq 0 299); do
  set -- $(dmsetup status vg0-pool-tpool)
  [ $((${{6#*/}} - ${{6%/*}})) -gt $(({left} * 16)) ] || break
  dd if=/dev/urandom of=/dev/vg0/kept bs=1M count=1 seek=$step oflag=direct 2>/dev/null || fail dd
done
echo "guest: pool $*"
"""
# Chunks of data come to lie on both devices of a btrfs.
SPREAD = """
dd if=/dev/zero of=$target/kept-data bs=1M count=400 || fail spread
sync
"""
# The disk that a scan sees first, of which the image does not know that it has failed.
FAIL = """
mdadm --quiet /dev/md0 --fail /dev/sda1 || fail mdadm --fail
"""
# Its name is not what init goes by; for the rig it gets the old one back.
RENAME = """
lvm vgrename -qq deb-vg other-vg || fail vgrename
"""
NAME_BACK = """
lvm vgrename -qq other-vg deb-vg || fail vgrename
"""
PREDICTED = "predicted"
IMPATIENT = "KDUMP_STALL_TIMEOUT=10\n"
HURRIED = "KDUMP_TARGET_TIMEOUT=10\n"
TALKATIVE = 'MAKEDUMP_ARGS="-c -d 31 --message-level 31"\n'
ELF = 'MAKEDUMP_ARGS="-E -d 31"\n'
STOCK = "KDUMP_CMDLINE_PROFILE=stock\n"
# libata is a module, and says what it was told; 6.1: "FORCE: horkage modified (noncq)".
NO_NCQ = "KDUMP_CMDLINE='console=ttyS0 libata.force=noncq'\n"
# Makes the name that the target had when it was recorded (sda) the name of another disk.
DECOY = FileSystem(Disk("virtio-scsi"), "ext4", uuid(99))


# Only disks on virtio-scsi come and go without being asked. The machine has them until the panic.
def gone(drive):
    """It is not there in the capture."""
    return (Change(PANIC, drive),)


def late(drive, seconds=20):
    """It is there in the capture after so many seconds."""
    return (*gone(drive), Change(PANIC, drive, there=True, seconds=seconds))


def lost(drive):
    """It goes while the dump is written."""
    return (Change("s dump: ", drive),)


# In the capture there is a copy of the first disk of the target, from before the crash.
CLONED = (Change(PANIC, "clone", there=True),)


@dataclass(frozen=True)
class Case:
    name: str
    machine: str
    judge: Callable  # Crash -> list of problems
    kernel: str = ""  # in the place of the machine's
    capture_kernel: str = ""  # another than the one that crashes
    part: str = "boot"  # of ./check: one case for each capability; "full" for the rest of the matrix
    crashkernel: str = "128M"  # PREDICTED: what the model says the smallest layout needs
    config: str = ""  # of /etc/default/kdump-tools
    prepare: str = ""  # shell that runs before the panic
    undo: str = ""  # shell that runs before the disks are read back
    decoy: FileSystem | None = None
    without_target: bool = False  # its disk is not there
    changes: tuple = ()  # of disks that come or go, see gone(), late() and lost()
    clone: str = ""  # how a copy of the target's first disk is attached, see CLONED
    destroyed: bool = False  # `prepare` leaves a target that cannot be mounted
    silent_disk: bool = False  # another disk, of the same driver, that answers until the panic
    unread_from: str | None = None  # nobody reads the console after this line
    devices: tuple = ()  # more arguments of QEMU
    facts_too: dict | None = None  # members of the record that these add
    keyed: bool = False  # the target is encrypted, and kdump-config gives its key to the capture
    programs: tuple = ()  # more of this host's, for `prepare`
    sysroot: Callable | None = None  # folder -> folder: where the builder takes programs from

    @property
    def kernel_name(self):
        return self.kernel or MACHINES[self.machine].kernel

    @property
    def capture_kernel_name(self):
        return self.capture_kernel or self.kernel_name


def incomplete(because):
    return lambda crash: judge.incomplete(crash, because)


def no_target(*because):
    return lambda crash: judge.no_target(crash, because)


def saved_and_says(text):
    return lambda crash: judge.saved(crash) + judge.console(crash, text)


def saved_on(device):
    return saved_and_says(f"{device} is the target")


def saved_beside_others(crash):
    return judge.saved(crash) + judge.foreign_blocks_kept(crash)


def saved_encrypted(crash):
    return judge.saved(crash) + judge.header_kept(crash)


def not_saved(because):
    """And the reason is said."""
    return lambda crash: (judge.no_target(crash, (because,))
                          + [f"there is {path.name}" for path in judge.run_directories(crash)])


def not_touched(because):
    """Nor was anything written in the place of it."""
    return lambda crash: not_saved(because)(crash) + judge.foreign_blocks_kept(crash)


def saved_on_array(said):
    """And no member was left behind."""
    return lambda crash: (saved_and_says(said)(crash) + judge.members_alike(crash.afterwards))


def saved_with_retry(because):
    return lambda crash: (judge.saved(crash, "saved-with-retry")
                          + judge.console(crash, because))


CASES = {case.name: case for case in (
    Case("virtio-ext4", "qemu-virtio-ext4", judge.saved, crashkernel="84M"),
    Case("virtio-ext4-stock", "qemu-virtio-ext4", judge.saved, crashkernel="96M", config=STOCK),
    Case("predicted-minimum", "qemu-virtio-ext4", judge.saved, crashkernel=PREDICTED),
    Case("ahci-gpt-xfs", "qemu-ahci-xfs", saved_and_says("modified (noncq)"),
         config=NO_NCQ),
    Case("nvme-btrfs-subvolume", "qemu-nvme-btrfs", judge.saved),
    Case("scsi-renamed", "qemu-scsi-ext4", saved_on("/dev/sdb"), decoy=DECOY),
    Case("usb-vfat", "qemu-usb-vfat", judge.saved),
    Case("sd-ext4", "qemu-sd-ext4", judge.saved),
    Case("nvme-subsystem-ext4", "qemu-nvme-subsystem-ext4", judge.saved),
    Case("virtio-ext4-6.12", "qemu-virtio-ext4-6.12", judge.saved, sysroot=userland.sysroot),
    Case("virtio-ext4-elf", "qemu-virtio-ext4", judge.saved, config=ELF, part="full"),
    Case("virtio-ext4-6.1-cloud", "qemu-virtio-ext4", judge.saved, kernel="bookworm-cloud",
         part="full"),
    Case("virtio-ext4-6.12-cloud", "qemu-virtio-ext4-6.12", judge.saved, kernel="trixie-cloud",
         part="full", sysroot=userland.sysroot),
    Case("virtio-ext4-7.3", "qemu-virtio-ext4-6.12", judge.saved, kernel="trixie-backports",
         sysroot=userland.sysroot),
    Case("virtio-ext4-7.3-predicted-minimum", "qemu-virtio-ext4-6.12", judge.saved,
         kernel="trixie-backports", crashkernel=PREDICTED, part="full", sysroot=userland.sysroot),
    Case("virtio-ext4-7.3-cloud", "qemu-virtio-ext4-6.12", judge.saved,
         kernel="trixie-backports-cloud", part="full", sysroot=userland.sysroot),
    Case("virtio-ext4-by-cloud", "qemu-virtio-ext4", saved_and_says("-cloud-amd64"),
         capture_kernel="bookworm-cloud", crashkernel=PREDICTED),
    # makedumpfile has to spare what it would not filter right of the kernel that crashed.
    Case("virtio-ext4-7.3-by-6.12-cloud", "qemu-virtio-ext4-6.12", saved_and_says("-cloud-amd64"),
         kernel="trixie-backports", capture_kernel="trixie-cloud", part="full",
         sysroot=userland.sysroot),
    Case("target-full", "qemu-virtio-ext4", incomplete("the target is full"),
         prepare=FILL),
    Case("target-missing", "qemu-scsi-ext4", no_target(
        f"no device with ext4 {uuid(4)}", "the root is the target that could not be mounted"),
         without_target=True),
    Case("target-late", "qemu-scsi-ext4", judge.saved, changes=late("disk0"), part="full"),
    # The root of this machine is another disk, but there is no system on it.
    Case("target-destroyed", "qemu-usb-vfat", no_target(
        "the root file system tries again", "neither /sbin/init nor /lib/systemd/systemd is on it"),
         prepare=DESTROY, destroyed=True),
    Case("out-of-memory", "qemu-virtio-ext4", saved_with_retry("the capture kernel ran out of memory"),
         sysroot=hungry.sysroot),
    # The driver of the target waits for another disk in its probe, and reboot(2) for the driver.
    Case("probe-hangs", "qemu-virtio-ext4", judge.restarted_by_guard, config=IMPATIENT,
         silent_disk=True),
    # More text than pipe and driver hold, from the kernel, from init and from makedumpfile.
    Case("console-unread", "qemu-virtio-ext4", judge.saved_unseen, config=TALKATIVE,
         unread_from="kdump-init "),
    Case("watchdog-armed", "qemu-virtio-ext4", judge.saved, prepare=ARM, devices=I6300ESB,
         facts_too=WATCHDOG, sysroot=hungry.slow),
    Case("lvm-ext4", "qemu-lvm-ext4", saved_on("/dev/dm-0")),
    Case("lvm-ext4-predicted-minimum", "qemu-lvm-ext4", judge.saved, crashkernel=PREDICTED,
         part="full"),
    Case("lvm-striped-xfs-6.12", "qemu-lvm-striped-xfs", judge.saved, sysroot=userland.sysroot),
    Case("lvm-segments", "qemu-lvm-segments-ext4", judge.saved, part="full"),
    Case("lvm-moved", "qemu-lvm-segments-ext4", saved_beside_others, prepare=MOVE),
    Case("lvm-disk-missing", "qemu-lvm-striped-xfs", no_target(
        "its physical volume kdump0-0000-0000-0000-0000-0000-000001 is missing"),
         part="full", without_target=True, config=HURRIED, sysroot=userland.sysroot),
    Case("lvm-snapshot-since", "qemu-lvm-ext4", not_touched("snapshot"), prepare=SNAPSHOT,
         config=HURRIED),
    Case("lvm-renamed", "qemu-lvm-ext4", saved_and_says("made other--vg-var--crash"), prepare=RENAME,
         undo=NAME_BACK, part="full"),
    Case("lvm-disk-cloned", "qemu-lvm-striped-xfs", not_saved("are both its physical volume"),
         clone="virtio-scsi", changes=CLONED, config=HURRIED, sysroot=userland.sysroot),
    Case("lvm-raid1", "qemu-lvm-raid1", saved_and_says("with 2 of 2 legs")),
    Case("lvm-raid1-predicted-minimum", "qemu-lvm-raid1", judge.saved, crashkernel=PREDICTED,
         part="full"),
    Case("lvm-raid1-disk-gone", "qemu-lvm-raid1", saved_and_says("with 1 of 2 legs"),
         changes=gone("disk2"), config=HURRIED, part="full"),
    Case("lvm-thin", "qemu-lvm-thin", saved_and_says("made vg0-crash")),
    Case("lvm-thin-predicted-minimum", "qemu-lvm-thin", judge.saved, crashkernel=PREDICTED,
         part="full"),
    Case("lvm-thin-full", "qemu-lvm-thin", not_touched("has to make room in its pool"), prepare=FILL_POOL.format(left=12),
         config=HURRIED, part="full"),
    Case("lvm-thin-filling", "qemu-lvm-thin", incomplete("the target is full"),
         prepare=FILL_POOL.format(left=24), part="full"),
    Case("multipath-ext4", "qemu-multipath-ext4", saved_on("/dev/dm-0"), part="full"),
    Case("multipath-predicted-minimum", "qemu-multipath-ext4", judge.saved, crashkernel=PREDICTED,
         part="full"),
    Case("multipath-partition-xfs", "qemu-multipath-partition-xfs", saved_on("/dev/dm-1"),
         part="full"),
    Case("multipath-path-gone", "qemu-multipath-ext4", saved_on("/dev/dm-0"), part="full",
         changes=gone("disk1"), config=HURRIED),
    Case("multipath-path-lost", "qemu-lvm-multipath", saved_and_says("Failing path"),
         changes=lost("disk1-again")),
    Case("multipath-cloned", "qemu-multipath-ext4", not_saved(
        "have its identity and are different disks"), clone="path", changes=CLONED, config=HURRIED,
         part="full"),
    Case("btrfs-raid1", "qemu-btrfs-raid1", judge.saved, part="full"),
    Case("btrfs-raid10", "qemu-btrfs-raid10", judge.saved, part="full"),
    Case("btrfs-raid1-disk-missing", "qemu-btrfs-raid1", saved_and_says(
        "1 of its 2 devices are missing"), changes=gone("disk1"), config=HURRIED),
    Case("btrfs-single-disk-missing", "qemu-btrfs-single", no_target(
        "cannot be mounted without 1 of its 2 devices"), part="full", prepare=SPREAD, changes=gone("disk1"),
         config=HURRIED),
    Case("md-raid1", "qemu-md-raid1", saved_on_array("raid1 with 2 of 2")),
    Case("md-raid1-1.0", "qemu-md-raid1-1.0", saved_on_array("raid1 with 2 of 2"), part="full"),
    Case("md-raid1-0.90", "qemu-md-raid1-0.90", saved_on_array("raid1 with 2 of 2"), part="full"),
    Case("md-raid10-xfs", "qemu-md-raid10", saved_on_array("raid10 with 4 of 4"), part="full"),
    Case("md-raid5", "qemu-md-raid5", saved_on_array("raid5 with 3 of 3")),
    Case("md-raid5-predicted-minimum", "qemu-md-raid5", judge.saved, crashkernel=PREDICTED,
         part="full"),
    Case("lvm-md-raid1", "qemu-lvm-md-raid1", saved_on_array("raid1 with 2 of 2")),
    Case("rootfs-lvm-md-raid1", "qemu-lvm-md-raid1", real_root.saved("root: lvm:  root active"),
         crashkernel="192M", config=real_root.CONFIG, prepare=real_root.PREPARE,
         programs=real_root.PROGRAMS),
    Case("rootfs-lvm-luks", "qemu-lvm-luks", real_root.saved("root: lvm:  root active"),
         crashkernel="192M", config=real_root.CONFIG + volume_key.CONFIG, keyed=True,
         prepare=real_root.PREPARE, programs=real_root.PROGRAMS, part="full"),
    Case("md-raid1-disk-gone", "qemu-md-raid1", saved_and_says("raid1 with 1 of 2"), config=HURRIED,
         changes=gone("disk2")),
    Case("md-raid1-disk-cloned", "qemu-md-raid1", not_saved("its member 0 is there twice"),
         part="full", clone="virtio-scsi", changes=CLONED, config=HURRIED),
    Case("md-raid1-stale-first", "qemu-md-raid1", saved_and_says("raid1 with 1 of 2"), prepare=FAIL),
    Case("luks2-ext4", "qemu-luks2-ext4", saved_encrypted, config=volume_key.CONFIG, keyed=True),
    Case("luks1-ext4", "qemu-luks1-ext4", saved_encrypted, config=volume_key.CONFIG, keyed=True,
         part="full"),
    Case("lvm-luks", "qemu-lvm-luks", saved_encrypted, config=volume_key.CONFIG, keyed=True,
         part="full"),
    Case("luks2-ext4-predicted-minimum", "qemu-luks2-ext4", saved_encrypted, crashkernel=PREDICTED,
         config=volume_key.CONFIG, keyed=True, part="full"),
    # The image has no key when nobody but kexec loads it.
    Case("luks2-no-key", "qemu-luks2-ext4", no_target("its key is missing"), part="full",
         config=volume_key.CONFIG + HURRIED),
    Case("reservation-too-small", "qemu-virtio-ext4", judge.hopeless, crashkernel="68M"),
)}
