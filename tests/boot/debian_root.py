# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 12 root directory made with debootstrap, and what is done with copies of it."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import packages
from paths import BOOT, BUILD

SUITE = "bookworm"
SKIPPED = 77
FOLDER = BOOT / "debian"
# What the guest itself needs, then the dependencies of the packages under test, so that dpkg -i is
# enough to install them.
PACKAGES = ("systemd", "systemd-sysv", "udev", "kmod", "file", "initramfs-tools", "linux-base",
            "kexec-tools", "makedumpfile", "libarchive13", "libblkid1", "libelf1", "libfmt9",
            "libkmod2", "libmount1", "libstdc++6", "libxxhash0", "libzstd1",
            "busybox", "ucf", "bsdextrautils", "lsb-base")
# A chroot does not know the machine it is going to be, and most modules take a minute to pack.
INITRAMFS = {"etc/initramfs-tools/conf.d/guest": "MODULES=list\n",
             "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n"}
# The peer, and a second kernel that can be installed and removed while the first one runs.
DOWNLOAD = ("cd /root && kernel=$(apt-cache depends linux-image-cloud-amd64 | "
            "sed -n 's/.*Depends: //p' | head -n 1) && "
            "apt-get -q download kdump-tools $kernel && "
            "rm -f /var/cache/apt/archives/*.deb /var/lib/apt/lists/*_*")
POLICY = "usr/sbin/policy-rc.d"
UUID = "11111111-2222-4333-8444-555555555555"


def run(*command, **options):
    """Runs a command; its output is shown only when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def chroot(root, *command):
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                   "LC_ALL": "C"}
    return run("chroot", root, *command, env=environment)


def write(root, path, text, mode=0o644):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def base():
    """The root directory without a package under test; made once, which takes minutes."""
    digest = hashlib.sha256(repr((SUITE, PACKAGES, INITRAMFS, DOWNLOAD)).encode()).hexdigest()[:12]
    made = FOLDER / f"base-{digest}"
    if made.is_dir():
        return made
    scratch = FOLDER / f"base-{digest}.{os.getpid()}.tmp"
    scratch.mkdir(parents=True)
    print(f"debootstrap of {SUITE} into {made}", flush=True)
    run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, scratch,
        packages.mirrors()[0])
    # Nothing is started from a chroot.
    write(scratch, POLICY, "#!/bin/sh\nexit 101\n", 0o755)
    for path, text in INITRAMFS.items():
        write(scratch, path, text)
    chroot(scratch, "apt-get", "-qy", "install", "--no-install-recommends", "linux-image-amd64")
    chroot(scratch, "sh", "-c", DOWNLOAD)
    scratch.rename(made)
    return made


def copy(name):
    """A fresh copy of base(); the caller removes it with remove()."""
    root = FOLDER / name
    remove(root)
    run("cp", "-a", "--reflink=auto", base(), root)
    return root


def remove(root):
    if "proc" in [mount.rpartition("/")[2] for mount in mounts_below(root)]:
        raise SystemExit(f"{root}/proc is still mounted; umount it first")
    shutil.rmtree(root, ignore_errors=True)


def mounts_below(root):
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(f"{root}/")]


def package():
    """The .deb that debian_package.sh made."""
    found = sorted((BUILD / "package").glob("kdump-mkinitrd_*.deb"))
    if not found:
        raise SystemExit("no package; tests/boot/debian_package.sh makes it")
    return found[-1]


def install(root, deb):
    """dpkg -i inside the root directory; returns what it printed."""
    inside = root / "root" / deb.name
    if deb != inside:
        shutil.copyfile(deb, inside)
    return chroot(root, "dpkg", "--force-confold", "-i", f"/root/{deb.name}")


def need_root():
    if os.geteuid() != 0:
        print("skipped: debootstrap and chroot need root")
        sys.exit(SKIPPED)
