# SPDX-License-Identifier: GPL-2.0-or-later
"""Root directories of a Debian suite made with debootstrap, and what is done with copies of them."""

import functools
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import packages
from paths import BOOT, BUILD, SOURCE

SUITES = ("bookworm", "trixie")
SKIPPED = 77
FOLDER = BOOT / "debian"
# What the guest itself needs and what kdump-tools depends on, so that dpkg -i is enough for that one.
PACKAGES = ("systemd", "systemd-sysv", "udev", "kmod", "file", "initramfs-tools", "linux-base",
            "kexec-tools", "makedumpfile", "e2fsprogs", "busybox", "ucf", "bsdextrautils", "lsb-base")
# A chroot does not know the machine it is going to be, and most modules take a minute to pack.
INITRAMFS = {"etc/initramfs-tools/conf.d/guest": "MODULES=list\n",
             "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n"}
# A second kernel that can be installed and removed while the first one runs. From 7.2 on a kernel is
# several packages, and wants a newer linux-base.
SECOND = {"bookworm": ("bookworm", "linux-image-cloud-amd64", ()),
          "trixie": ("trixie-backports", "linux-image-cloud-amd64", ("linux-base",))}
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


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
               "LC_ALL": "C", "HOME": "/root"}
# Both are mounted where nobody else sees it, and are gone with the command.
AT_A_PLACE = ('mount -t proc proc "$1/proc" && mount --bind "$2" "$1/mnt" && root=$1 && shift 2 && '
              'exec chroot "$root" "$@"')


def chroot(root, *command):
    return run("chroot", root, *command, env=ENVIRONMENT)


def chroot_with(root, folder, *command, **more):
    """With proc, and `folder` at /mnt: the same place for all runs, as ccache wants it."""
    return run("unshare", "--mount", "sh", "-c", AT_A_PLACE, "sh", root, folder, *command,
               env=ENVIRONMENT | more)


def write(root, path, text, mode=0o644):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def digest_of(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def fetch(root, *names):
    """apt-get install inside the root directory, which is left as small as that allows."""
    chroot(root, "apt-get", "-q", "update")
    chroot(root, "apt-get", "-qy", "install", "--no-install-recommends", *names)
    chroot(root, "sh", "-c", "rm -f /var/cache/apt/archives/*.deb /var/lib/apt/lists/*_*")


def base(suite="bookworm"):
    """The root directory without a package under test; made once, which takes minutes."""
    from_suite, meta, more = SECOND[suite]

    def fill(root):
        print(f"debootstrap of {suite}", flush=True)
        run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, root,
            packages.mirrors()[0])
        # Nothing is started from a chroot.
        write(root, POLICY, "#!/bin/sh\nexit 101\n", 0o755)
        for path, text in INITRAMFS.items():
            write(root, path, text)
        fetch(root, "linux-image-amd64")
        packages.download(suite, ("kdump-tools",), root / "root")
        (root / "root/second").mkdir()
        packages.download(from_suite, (*packages.parts_of_kernel(from_suite, meta)[0], *more),
                          root / "root/second")

    return packages.kept(f"debian/{suite}", digest_of(PACKAGES, INITRAMFS, SECOND[suite]), fill)


def on_base(name, suite, wanted, fill):
    """A base with more in it, made once for each set of `wanted` packages."""
    below = base(suite)

    def copy_and_fill(root):
        run("cp", "-aT", "--reflink=auto", below, root)
        fill(root)

    return packages.kept(f"debian/{suite}-{name}", digest_of(below.name, wanted), copy_and_fill)


def copy(name, suite):
    """A fresh copy of a base on which the package can be installed; remove() takes it away."""
    root = FOLDER / f"{name}-{suite}"
    remove(root)
    depends = field(package(suite), "Depends")
    wanted = sorted(word.split()[0] for word in depends.replace("|", ",").split(","))
    ready = on_base("ready", suite, wanted, lambda made: fetch(made, *wanted))
    root.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "-a", "--reflink=auto", ready, root)
    return root


def builder(suite):
    """A root directory with what debian/control wants to build the package."""
    control = (SOURCE / "debian/control").read_text()

    def fill(root):
        write(root, "root/source/debian/control", control)
        chroot(root, "apt-get", "-q", "update")
        chroot(root, "apt-get", "-qy", "install", "--no-install-recommends", "dpkg-dev", "ccache",
               "fakeroot")
        chroot(root, "apt-get", "-qy", "--no-install-recommends", "build-dep", "/root/source")
        chroot(root, "sh", "-c", "rm -f /var/cache/apt/archives/*.deb /var/lib/apt/lists/*_*")

    return on_base("build", suite, control.partition("\nPackage:")[0], fill)


def field(deb, name):
    return run("dpkg-deb", "-f", deb, name).strip()


@functools.cache
def own_suite():
    """The suite of this machine."""
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    return next((line.partition("=")[2].strip('"') for line in lines
                 if line.startswith("VERSION_CODENAME=")), "")


def remove(root):
    if "proc" in [mount.rpartition("/")[2] for mount in mounts_below(root)]:
        raise SystemExit(f"{root}/proc is still mounted; umount it first")
    shutil.rmtree(root, ignore_errors=True)


def mounts_below(root):
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(f"{root}/")]


def package(suite):
    """The .deb that debian_package.py made."""
    found = sorted((BUILD / "package" / suite).glob("kdump-mkinitrd_*.deb"))
    if not found:
        raise SystemExit(f"no package; tests/boot/debian_package.py {suite} makes it")
    return found[-1]


def install(root, deb):
    """dpkg -i inside the root directory; returns what it printed."""
    inside = root / "root" / deb.name
    if deb != inside:
        shutil.copyfile(deb, inside)
    return chroot(root, "dpkg", "--force-confold", "-i", f"/root/{deb.name}")


def suite_of(arguments, page):
    """The one argument of a test."""
    if len(arguments) != 2 or arguments[1] not in SUITES:
        raise SystemExit(page)
    return arguments[1]


def need_root():
    if os.geteuid() != 0:
        print("skipped: debootstrap and chroot need root")
        sys.exit(SKIPPED)
