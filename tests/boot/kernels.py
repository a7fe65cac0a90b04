# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels of the tests: kernels.py [NAME]... unpacks the newest of each, or of those named.

Every entry of build/kernels/ is the root of one unpacked kernel. Those of NEWEST are links into the
cache; a folder that lies there is somebody's own, in the place of ours or beside them, and stays.
"""

import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass

import packages
from paths import BUILD

KERNELS = BUILD / "kernels"
# Suite and meta package. bookworm has plain .ko files below /lib; trixie has .ko.xz below /usr/lib;
# from 7.2 on vmlinuz lies beside the modules, and a kernel is three packages. The cloud kernels have
# no drivers of real hardware.
NEWEST = {
    "bookworm": ("bookworm", "linux-image-amd64"),
    "bookworm-cloud": ("bookworm", "linux-image-cloud-amd64"),
    "trixie": ("trixie", "linux-image-amd64"),
    "trixie-cloud": ("trixie", "linux-image-cloud-amd64"),
    "trixie-backports": ("trixie-backports", "linux-image-amd64"),
    "trixie-backports-cloud": ("trixie-backports", "linux-image-cloud-amd64"),
}
# Those of the archive that the memory model has no figure from, each fetched when it is named. Only
# bench/fit-accuracy does.
BLIND = {
    "6.1.0-47": ("bookworm", "linux-image-6.1.0-47-amd64"),
    "6.1-rt": ("bookworm", "linux-image-6.1.0-56-rt-amd64"),
    "6.1.0-53-cloud": ("bookworm", "linux-image-6.1.0-53-cloud-amd64"),
    "6.12.43": ("bookworm-backports", "linux-image-6.12.43+deb12-amd64"),
    "6.12.95-cloud": ("bookworm-backports", "linux-image-6.12.95+deb12-cloud-amd64"),
    "6.12-rt": ("trixie", "linux-image-6.12.118+deb13-rt-amd64"),
    "6.16": ("trixie-backports", "linux-image-6.16.3+deb13-amd64"),
    "6.16-cloud": ("trixie-backports", "linux-image-6.16.12+deb13-cloud-amd64"),
    "6.17": ("trixie-backports", "linux-image-6.17.13+deb13-amd64"),
    "6.17-rt": ("trixie-backports", "linux-image-6.17.8+deb13-rt-amd64"),
    "7.2": ("trixie-backports", "linux-image-7.2.12+deb13-amd64"),
    "7.2-cloud": ("trixie-backports", "linux-image-7.2.12+deb13-cloud-amd64"),
    "7.2-rt": ("trixie-backports", "linux-image-7.2.12+deb13-rt-amd64"),
    "7.3-rt": ("trixie-backports", "linux-image-7.3.4+deb13-rt-amd64"),
}


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel; as a sysroot it holds vmlinuz and lib/modules/VERSION."""

    root: pathlib.Path
    version: str

    @property
    def image(self):
        found = (self.root / "boot" / f"vmlinuz-{self.version}",
                 self.root / "usr/lib/modules" / self.version / "vmlinuz")
        return next((path for path in found if path.exists()), found[0])

    def modprobe(self, name):
        """Paths of a module and what it needs, in load order; empty when it is built in.

        None when the kernel has no such module.
        """
        command = ["modprobe", "-d", self.root, "-S", self.version, "--show-depends", name]
        run = subprocess.run(command, check=False, capture_output=True, text=True)
        if run.returncode != 0:
            if "not found" in run.stderr:
                return None
            raise SystemExit(f"modprobe fails for {name} of {self.version}: {run.stderr.strip()}")
        return [pathlib.Path(line.split()[1]) for line in run.stdout.splitlines()
                if line.startswith("insmod ")]


def of_root(root):
    """The kernel below a root, the newest if there are several; None when there is none."""
    root = root.resolve()
    found = [Kernel(root, path.name) for path in root.glob("lib/modules/*")]
    return max((kernel for kernel in found if kernel.image.exists()), default=None,
               key=lambda kernel: by_number(kernel.version))


def by_number(version):
    """A sorting key: 6.1.0-56 comes after 6.1.0-6."""
    words = version.replace("-", ".").replace("+", ".").split(".")
    return [(word.isdigit(), int(word) if word.isdigit() else word) for word in words]


def installed():
    """The newest kernel of this machine with the drivers of the tests (not -cloud-), or None."""
    root = pathlib.Path("/")
    found = [Kernel(root, path.name) for path in root.glob("lib/modules/*-amd64")
             if "-cloud-" not in path.name and (path / "modules.dep").exists()]
    return max((kernel for kernel in found if kernel.image.exists()), default=None,
               key=lambda kernel: by_number(kernel.version))


def unpacked(name):
    """The kernel KERNELS/name, or None when it is not there (yet)."""
    return of_root(KERNELS / name)


# What depmod needs beside libssl; libkmod of Debian 13 loads the last two at run time.
DEPMOD = ("kmod", "libkmod2", "libc6", "libzstd1", "liblzma5")


def depmod(suite):
    """The command of the suite's own depmod: kmod 30 writes an index root last, kmod 34 root first."""
    suite = suite.removesuffix("-backports")
    ssl = [name for name in packages.depends(suite, "libkmod2") if name.startswith("libssl")]
    root = packages.unpacked(f"depmod/{suite}", suite, (*DEPMOD, *ssl))
    kmod = next(path for path in ("bin/kmod", "usr/bin/kmod") if (root / path).exists())
    return packages.program(root, kmod, "depmod")  # kmod is depmod when it is called so


def fill(suite, names, root):
    print(f"downloading {' '.join(names)} from {suite}", flush=True)
    packages.unpack(suite, names, root)
    complete(root, depmod(suite))


def complete(root, index=("depmod",)):
    """What a package leaves to its installation; `index` is the depmod to run."""
    if (root / "usr/lib/modules").is_dir() and not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")  # as on a system with merged /usr
    kernel = of_root(root)
    if not (root / "lib/modules" / kernel.version / "modules.dep.bin").exists():
        subprocess.run([*index, "-b", root, kernel.version], check=True)


def download(name):
    """The kernel KERNELS/name; a link of ours is made to lead to the newest version."""
    link = KERNELS / name
    if link.is_dir() and not link.is_symlink():
        return unpacked(name)
    suite, package = (NEWEST | BLIND)[name]
    names, version = packages.parts_of_kernel(suite, package)
    place = packages.kept(f"kernels/{name}", version, lambda root: fill(suite, names, root))
    if link.resolve() != place:
        KERNELS.mkdir(parents=True, exist_ok=True)
        scratch = KERNELS / f".{name}.{os.getpid()}"
        scratch.symlink_to(place)
        scratch.rename(link)
    return unpacked(name)


def own():
    """Names of the kernels that somebody has put beside ours."""
    return sorted(path.name for path in KERNELS.glob("[!.]*")
                  if path.is_dir() and path.name not in NEWEST | BLIND)


def get(name):
    """The kernel KERNELS/name, ready for use."""
    if name in NEWEST | BLIND:
        return download(name)
    complete(KERNELS / name)
    return unpacked(name)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or (*NEWEST, *own()):
        kernel = get(wanted)
        print(f"{wanted}: Linux {kernel.version} in {kernel.root}")
