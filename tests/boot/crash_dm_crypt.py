#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Crashes a kernel that hands the key of an encrypted target over: crash_dm_crypt.py BUILDER

No kernel of Debian has CONFIG_CRASH_DM_CRYPT, so this builds one of Debian's source, with little
else in it. That takes minutes and 2 GB, and happens once for each version; ./check leaves it out.
"""

import dataclasses
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import crash
import disks
import guest
import image
import judge
import kernels
import packages
import record
import volume_key
from layers import Disk
from machines import beside_root, uuid
from paths import BOOT
from stacks import Luks

SUITE = "trixie-backports"
BUILD_TOOLS = ("flex", "bison", "m4", "libsigsegv2", "libc6")
# cryptsetup puts volume keys into keyrings from 2.7 on, which Debian 12 has not.
CRYPTSETUP = ("cryptsetup-bin", "libcryptsetup12", "libdevmapper1.02.1", "libblkid1", "libuuid1",
              "libssl3t64", "libargon2-1", "libjson-c5", "libpopt0", "libudev1", "libselinux1",
              "libpcre2-8-0", "libcap2", "libgcc-s1", "zlib1g", "libzstd1", "libc6", "keyutils",
              "libkeyutils1")
# All of it built in. Without network, ACPI and a second processor it compiles in half of the time.
CONFIG = """
64BIT LOCALVERSION="-dmcrypt" EXPERT MODULES PRINTK EARLY_PRINTK BUG KALLSYMS MULTIUSER FUTEX EPOLL
SHMEM TMPFS EVENTFD SIGNALFD TIMERFD POSIX_TIMERS FILE_LOCKING ADVISE_SYSCALLS BLK_DEV_INITRD RD_GZIP
RD_XZ RD_ZSTD RD_LZ4 BINFMT_ELF BINFMT_SCRIPT X86_MPPARSE PROCESSOR_SELECT HIGH_RES_TIMERS PCI PCI_MSI
KEXEC KEXEC_FILE CRASH_DUMP PROC_VMCORE RELOCATABLE MAGIC_SYSRQ KEYS CONFIGFS_FS CRASH_DM_CRYPT
CRASH_DM_CRYPT_CONFIGS MD BLK_DEV_DM DM_CRYPT CRYPTO CRYPTO_AES CRYPTO_XTS CRYPTO_ECB BLOCK
VIRTIO_MENU VIRTIO_PCI BLK_DEV VIRTIO_BLK EXT4_FS TTY SERIAL_8250 SERIAL_8250_CONSOLE DEVTMPFS PROC_FS
SYSCTL SYSFS UNWINDER_GUESS
"""
MACHINE = beside_root("crash-dm-crypt", Luks(Disk("virtio-blk", 1), uuid(139)), 46)
# What an administrator does, by the commands that kdump-config names; then the key has expired.
LOAD = """
mkdir -p /var/crash /var/lib/kdump /etc/default
mount -t configfs config /sys/kernel/config || fail configfs
mount --bind $target/@FOLDER@ /var/crash || fail bind
: > /kdump.img.manifest
cat > /etc/default/kdump-tools <<END
USE_KDUMP=1
KDUMP_KERNEL=/vmlinuz
KDUMP_INITRD=/kdump.img
KDUMP_CMDLINE="@LINE@"
KDUMP_CMDLINE_APPEND=" "
END
kdump-config load > /said 2>&1 && fail "loaded without a key"
cat /said
command=$(grep -o 'cryptsetup open --test-passphrase .*' /said) || fail "no command is named"
eval "$command --key-file /etc/luks-passphrase" || fail "$command"
kdump-config load || fail "kdump-config load"
kdump-config reload || fail "kdump-config reload"
keyctl clear @u || fail keyctl
kdump-config reload || fail "kdump-config reload without the key"
[ $(cat /sys/kernel/kexec_crash_loaded) = 1 ] || fail "not loaded"
umount /var/crash
"""


def configuration():
    words = CONFIG.split()
    return "".join(f"CONFIG_{word}{'' if '=' in word else '=y'}\n" for word in words)


def compile_into(root, source):
    """Compiles `source`, the path of a package with a source archive, into a root as of a package."""
    tools = packages.unpacked("kernel-tools", "bookworm", BUILD_TOOLS)
    tree = root / ".tree"
    programs = root / ".programs"
    for folder in (tree, programs):
        folder.mkdir()
    for name in ("flex", "bison", "m4"):
        command = " ".join(map(str, packages.program(tools, f"usr/bin/{name}")))
        (programs / name).write_text(f"#!/bin/sh\nexec {command} \"$@\"\n")
        (programs / name).chmod(0o755)
    (archive,) = source.glob("usr/src/linux-source-*.tar.xz")
    subprocess.run(["tar", "-x", "-f", archive, "-C", tree, "--strip-components=1"], check=True)
    (root / "wanted").write_text(configuration())
    cache = "ccache " if shutil.which("ccache") else ""
    variables = {"PATH": f"{programs}:/usr/bin:/bin:/usr/sbin:/sbin",
                 "BISON_PKGDATADIR": tools / "usr/share/bison", "M4": programs / "m4"}

    def make(*arguments):
        subprocess.run(["env", *(f"{key}={value}" for key, value in variables.items()), "nice", "-n", "15",
                        "make", "-s", "-j2", "-C", tree, f"CC={cache}gcc", f"HOSTCC={cache}gcc",
                        *arguments], check=True)

    make(f"KCONFIG_ALLCONFIG={root}/wanted", "tinyconfig")
    missing = set(configuration().splitlines()) - set((tree / ".config").read_text().splitlines())
    if missing:
        raise SystemExit(f"this kernel cannot have {' '.join(sorted(missing))}")
    make("bzImage", "modules")
    make(f"INSTALL_MOD_PATH={root}", "modules_install")
    (version,) = (path.name for path in root.glob("lib/modules/*"))
    (root / "boot").mkdir()
    shutil.copy(tree / "arch/x86/boot/bzImage", root / f"boot/vmlinuz-{version}")
    shutil.copy(tree / ".config", root / f"boot/config-{version}")
    for link in root.glob("lib/modules/*/build"):
        link.unlink()
    kernels.complete(root)
    for folder in (tree, programs):
        shutil.rmtree(folder)


def compiled():
    """The kernel, made when it is missing."""
    (package,) = packages.depends(SUITE, "linux-source")
    version = packages.version(SUITE, package)
    digest = hashlib.sha256(CONFIG.encode()).hexdigest()[:12]
    source = packages.kept("linux-source", version, lambda root: packages.unpack(SUITE, [package], root))
    return kernels.of_root(packages.kept("kernels/dm-crypt", f"{version}-{digest}",
                                         lambda root: compile_into(root, source)))


def recorded(kernel, builder, folder):
    """The facts of the machine, as they are in it."""
    share = folder / "record"
    with_disks = disks.copy(disks.prepared(MACHINE, kernel), folder)
    guest.fetch(kernel, record.script_of(MACHINE, kernel), folder / "record.log", share,
                programs=[builder], command_line="crashkernel=192M",
                files=disks.tools(MACHINE, kernel), drives=disks.drives(MACHINE, with_disks))
    for path in with_disks:
        path.unlink()
    return share / "machine.json"


def run(builder):
    kernel = compiled()
    folder = BOOT / "crash-dm-crypt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    facts = recorded(kernel, builder, folder)
    built = image.build(MACHINE, builder, folder / "image", "--crashkernel", "128M", kernel=kernel,
                        facts=facts)
    load = LOAD.replace("@FOLDER@", MACHINE.dump_folder).replace("@LINE@", built.command_line)
    root = packages.unpacked("cryptsetup", "trixie", CRYPTSETUP)
    result = crash.crash(MACHINE, built.path, built.command_line, "128M", folder / "case", kernel=kernel,
                         load=load, files=packages.for_guest(root, ("usr/sbin/cryptsetup", "usr/bin/keyctl"),
                                                             "opt/trixie"),
                         kdump_config=pathlib.Path(builder).with_name("kdump-config"))
    return judge.saved(result) + judge.header_kept(result) + judge.audited(MACHINE, result.afterwards)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    failed = run(sys.argv[1])
    print("\n".join(f"FAILED: {problem}" for problem in failed) or "saved with the key of the kernel")
    sys.exit(1 if failed else 0)
