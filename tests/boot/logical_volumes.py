# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's lvm2 and the kernel's device mapper, for a guest: the judge of everything on LVM.

This machine needs neither: lvm2 would change the images that mkinitramfs makes here.
"""

import functools

import guest
import packages

# lvm2 and what its dependencies bring along. dmsetup shows the tables that are loaded.
PACKAGES = ("lvm2", "dmsetup", "libdevmapper1.02.1", "libdevmapper-event1.02.1", "libaio1",
            "libblkid1", "libc6", "libedit2", "libbsd0", "libmd0", "libtinfo6", "libselinux1",
            "libpcre2-8-0", "libsystemd0", "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1",
            "liblzma5", "libzstd1", "libudev1", "libgcc-s1")
PROGRAMS = ("lvm", "dmsetup")
MODULES = ("dm_mod", "dm_thin_pool", "dm_snapshot", "dm_cache", "dm_cache_smq", "dm_raid",
           "dm_mirror", "dm_writecache", "raid1")
PLACE = "opt/lvm"
# There is no udev in the guest, and no program to check thin pools and caches.
CONFIG = """
activation { udev_sync=0 udev_rules=0 verify_udev_operations=0 monitoring=0 }
backup { backup=0 archive=0 }
devices { use_devicesfile=0 }
global { use_lvmpolld=0 event_activation=0 thin_check_executable="" cache_check_executable="" }
"""


def download():
    """The root that the packages are unpacked in."""
    return packages.unpacked("lvm2", "bookworm", PACKAGES)


@functools.cache
def programs():
    """Path in the guest -> bytes: the programs with their libraries in a place of their own."""
    root = download()
    paths = [next(p for p in (f"sbin/{name}", f"usr/sbin/{name}") if (root / p).exists())
             for name in PROGRAMS]
    return {"etc/lvm/lvm.conf": CONFIG.encode()} | packages.for_guest(root, paths, PLACE)


def files(kernel):
    """The programs, and the modules of the device mapper for `load`."""
    return programs() | guest.module_files(kernel, MODULES)
