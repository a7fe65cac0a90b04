#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine of the comparison: a Debian 12 with every builder, as a disk image and as a chroot.

The chroot shows the /sys, /proc/modules and /proc/cmdline of that Debian booted in QEMU, which
bench/machine.tar.xz holds: MODULES=dep and dracut --hostonly look at the machine they run on.
`bench/machine.py --record` boots it and writes that file anew.
"""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "boot"))

import debian_root
import kernels
import qemu
from paths import BUILD

OUT = BUILD / "bench"
RECORD = HERE / "machine.tar.xz"
DISK = OUT / "machine.img"
KERNEL = "bookworm"
VDA = "254:0"  # the recorded disk
COMMAND_LINE = f"root=UUID={debian_root.UUID} ro console=ttyS0"
PEERS = ("dracut-core", "binutils")  # beside initramfs-tools; dracut strips with binutils

# What the builders look at: links, directories, and of the files only these.
RECORDER = r"""#!/bin/sh
exec >/dev/ttyS0 2>&1
mkdir -p /run/record/proc
cd /
roots="sys/block sys/bus sys/class sys/dev sys/devices sys/module"
find $roots -type d -print0 | (cd /run/record && xargs -0 mkdir -p)
find $roots \( -type l -o -name modalias -o -name uevent -o -name dev -o -name size -o -name ro \
  -o -name removable -o -name partition -o -path '*/queue/logical_block_size' \) -print0 |
  xargs -0 cp -d --parents -t /run/record
cp /proc/modules /proc/cmdline /run/record/proc
mkdir /run/record/kdump
cp /var/lib/kdump/initrd.img-* /run/record/kdump
tar -C /run/record -cf /dev/vdb sys proc kdump
echo "RECORDED"
systemctl --force --force poweroff
"""
# Once in each boot that has a disk for what is recorded, when everything else has started.
UNIT = """[Unit]
ConditionPathExists=/dev/{disk}
After=kdump-tools.service basic.target
[Service]
Type=idle
TimeoutStartSec=infinity
ExecStart=/usr/local/sbin/record
[Install]
WantedBy=multi-user.target
"""


def make_root(root, *more, mounted=f"UUID={debian_root.UUID}", recorder=RECORDER, disk="vdb"):
    """A root directory with our kernel, initramfs-tools, kdump-tools, dracut and `more` packages.

    `mounted` is the device of /; `recorder` runs when it boots with that disk.
    """
    kernel = kernels.unpacked(KERNEL)
    shutil.rmtree(root, ignore_errors=True)
    debian_root.run("cp", "-a", "--reflink=auto", debian_root.base(), root)
    for path in (*debian_root.INITRAMFS, "etc/kernel/postinst.d/initramfs-tools"):
        (root / path).unlink()  # MODULES is Debian's default, and dpkg builds no image here
    for path in (*root.glob("boot/*"), *root.glob("lib/modules/*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (f"boot/config-{kernel.version}", f"boot/vmlinuz-{kernel.version}",
                 f"lib/modules/{kernel.version}"):
        debian_root.run("cp", "-a", "--reflink=auto", kernel.root / path, root / path)
    debian_root.chroot(root, "apt-get", "-q", "update")
    debian_root.chroot(root, "apt-get", "-qy", "install", "--no-install-recommends", *PEERS,
                       *more)
    debian_root.chroot(root, "sh", "-c", "dpkg -i /root/kdump-tools_*.deb && "
                       "rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*")
    debian_root.write(root, "etc/fstab", f"{mounted} / ext4 defaults 0 1\n")
    debian_root.write(root, "etc/hostname", "bench\n")
    debian_root.write(root, "etc/systemd/system/record.service", UNIT.format(disk=disk))
    debian_root.write(root, "usr/local/sbin/record", recorder, 0o755)
    debian_root.chroot(root, "systemctl", "enable", "record.service")
    debian_root.chroot(root, "systemctl", "mask", "serial-getty@ttyS0.service",
                       "getty@tty1.service", "apt-daily.timer", "apt-daily-upgrade.timer")
    (root / debian_root.POLICY).unlink()


def make_disk():
    """DISK, made once: everything downloaded stays below build/."""
    if DISK.exists():
        return
    OUT.mkdir(parents=True, exist_ok=True)
    root, scratch = OUT / "root.tmp", OUT / "machine.img.tmp"
    make_root(root)
    scratch.unlink(missing_ok=True)
    debian_root.run("mkfs.ext4", "-q", "-F", "-U", debian_root.UUID, "-d", root, scratch, "3G")
    shutil.rmtree(root)
    scratch.rename(DISK)


def first_initrd(root, image, modules=""):
    """An initrd to boot the root directory with; `modules` beside those of the other guests."""
    kernel = kernels.unpacked(KERNEL)
    shutil.copytree(root / "etc/initramfs-tools", root / "run/first")
    for path, text in debian_root.INITRAMFS.items():
        debian_root.write(root, path.replace("etc/initramfs-tools", "run/first"), text)
    with open(root / "run/first/modules", "a", encoding="utf-8") as file:
        file.write(modules)
    debian_root.chroot(root, "mkinitramfs", "-d", "/run/first", "-o", "/run/first.img",
                       kernel.version)
    shutil.copyfile(root / "run/first.img", image)


def record():
    """Boots the machine once; its kdump-tools then builds an image as it does for a user."""
    make_disk()
    kernel = kernels.unpacked(KERNEL)
    first_initrd(enter(), OUT / "first.img")
    tar = OUT / "record.tar"
    with open(tar, "wb") as file:
        file.truncate(1 << 30)
    console = qemu.run(kernel.image, OUT / "first.img", f"{COMMAND_LINE} crashkernel=192M quiet",
                       OUT / "record.log", timeout=900,
                       drives=[qemu.Drive(DISK, "virtio-blk", read_only=True),
                               qemu.Drive(tar, "virtio-blk")])
    if not console.when("RECORDED"):
        raise SystemExit(f"the machine was not recorded, see {console.log}\n{console.tail()}")
    # Blocks of zeros end the archive; the disk is larger.
    with tarfile.open(tar) as source, tarfile.open(RECORD, "w:xz", preset=9) as compact:
        for member in sorted(source, key=lambda m: m.name):
            if member.name.startswith("kdump/"):
                source.extract(member, OUT)  # to compare with what the chroot makes
                continue
            member.uid = member.gid = member.mtime = 0
            member.uname = member.gname = ""
            compact.addfile(member, source.extractfile(member) if member.isfile() else None)
    tar.unlink()
    print(f"wrote {RECORD}: {RECORD.stat().st_size} bytes")


def impossible():
    """Why the machine cannot be entered here; empty when it can."""
    if os.geteuid() != 0:
        return "debootstrap and chroot need root"
    for command in (["unshare", "--mount", "true"], ["losetup", "--find"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{' '.join(command)}: {done.stderr.strip()}"
    return ""


def private_mounts():
    """Runs this program again in a mount namespace of its own: the host sees none of its mounts."""
    if os.environ.get("KD_BENCH_MOUNTS") != "private":
        os.environ["KD_BENCH_MOUNTS"] = "private"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, "-B", *sys.argv])


def mount(*arguments):
    debian_root.run("mount", *arguments)


def enter():
    """The machine as a directory. Read-only but for /run, /tmp and others that are lost afterwards.

    / is a loop device: ext4 on a block device whose number leads to the recorded virtio disk.
    """
    root = OUT / "root"
    root.mkdir(exist_ok=True)
    mount("-o", "loop,ro,noload", DISK, root)
    for path in ("run", "tmp", "var/tmp", "var/lib/kdump", "dev", "proc"):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root / path)
    device = os.stat(root).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    nodes = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
             f"loop{os.minor(device)}": (os.major(device), os.minor(device))}
    for name, numbers in nodes.items():
        kind = stat.S_IFBLK if name.startswith("loop") else stat.S_IFCHR
        os.mknod(root / "dev" / name, kind | 0o666, os.makedev(*numbers))
    node = f"/dev/loop{os.minor(device)}"
    for link, text in {"fd": "/proc/self/fd", f"block/{number}": node,
                       f"disk/by-uuid/{debian_root.UUID}": node}.items():
        (root / "dev" / link).parent.mkdir(parents=True, exist_ok=True)
        (root / "dev" / link).symlink_to(text)
    (root / "proc/.real").mkdir()
    mount("-t", "proc", "proc", root / "proc/.real")
    if RECORD.exists():
        show_record(root, number)
    # What is recorded hides what is real; a kernel without modules has no /proc/modules to cover.
    for path in (root / "proc/.real").iterdir():
        if not path.name.isdigit() and not (root / "proc" / path.name).exists():
            (root / "proc" / path.name).symlink_to(f".real/{path.name}")
    return root


def show_record(root, number):
    with tarfile.open(RECORD) as archive:
        archive.extractall(root / "run" / "machine")
    blocks = root / "run/machine/sys/dev/block"
    (blocks / number).unlink(missing_ok=True)  # Debian makes eight empty loop devices
    (blocks / number).symlink_to(os.readlink(blocks / VDA))
    mount("--bind", root / "run/machine/sys", root / "sys")
    for name in ("modules", "cmdline"):
        shutil.copyfile(root / "run/machine/proc" / name, root / "proc" / name)


if __name__ == "__main__":
    if sys.argv[1:] != ["--record"]:
        raise SystemExit(__doc__)
    if reason := impossible():
        raise SystemExit(reason)
    private_mounts()
    record()
