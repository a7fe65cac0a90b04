# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own tools for storage layers and the kernel's modules, for a guest: the judges of them.

This machine needs none: lvm2 or mdadm would change the images that mkinitramfs makes here.
"""

import functools
from dataclasses import dataclass, field

import guest
import packages
from stacks import Luks

# They and what their dependencies bring along. dmsetup shows the tables that are loaded.
PACKAGES = ("lvm2", "dmsetup", "mdadm", "cryptsetup-bin", "multipath-tools", "kpartx",
            "libdevmapper1.02.1", "libdevmapper-event1.02.1", "libaio1", "libblkid1", "libc6",
            "libedit2", "libbsd0", "libmd0", "libtinfo6", "libselinux1", "libpcre2-8-0",
            "libsystemd0", "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5",
            "libzstd1", "libudev1", "libgcc-s1", "libcryptsetup12", "libpopt0", "libuuid1",
            "libargon2-1", "libjson-c5", "libssl3", "liburcu8", "thin-provisioning-tools",
            "libexpat1", "libstdc++6")
PLACE = "opt/storage"


@dataclass(frozen=True)
class Tool:
    programs: tuple[str, ...]
    modules: tuple[str, ...]  # that a case may load, beside those of the layer
    files: dict = field(default_factory=dict)
    plugins: str = ""  # folder of libraries that are opened by name


# There is no udev in the guest, and no program to check caches; thin pools are checked apart.
LVM_CONF = b"""
activation { udev_sync=0 udev_rules=0 verify_udev_operations=0 monitoring=0 }
backup { backup=0 archive=0 }
devices { use_devicesfile=0 }
global { use_lvmpolld=0 event_activation=0 thin_check_executable="" cache_check_executable="" }
"""
# Without it only the paths named in /etc/multipath/wwids are taken.
MULTIPATH_CONF = b"""
defaults {
    find_multipaths no
    user_friendly_names yes
}
blacklist {
    devnode "^vd"
}
"""
TOOLS = {
    "lvm": Tool(("lvm", "dmsetup"),
                ("dm_mod", "dm_thin_pool", "dm_snapshot", "dm_cache", "dm_cache_smq", "dm_raid",
                 "dm_mirror", "dm_writecache", "raid1"), {"etc/lvm/lvm.conf": LVM_CONF}),
    "pdata_tools": Tool(("pdata_tools",), ("dm_thin_pool",)),
    "mdadm": Tool(("mdadm", "mdmon"), ("md_mod", "raid0", "raid1", "raid10", "raid456", "linear")),
    "cryptsetup": Tool(("cryptsetup", "dmsetup"),
                       ("dm_mod", "dm_crypt", "xts", "aesni_intel", "algif_skcipher"),
                       {"etc/luks-volume-key": Luks.VOLUME_KEY,
                        "etc/luks-passphrase": Luks.PASSPHRASE}),
    "multipath": Tool(("multipath", "kpartx", "dmsetup"),
                      ("dm_mod", "dm_multipath", "dm_round_robin", "dm_service_time",
                       "scsi_dh_alua"), {"etc/multipath.conf": MULTIPATH_CONF}, "lib/multipath"),
}


@functools.cache
def program_files(name):
    """Path in the guest -> bytes: the programs with their libraries in a place of their own."""
    tool = TOOLS[name]
    root = packages.unpacked("storage-tools", "bookworm", PACKAGES)
    paths = [next(p for p in (f"sbin/{name}", f"usr/sbin/{name}") if (root / p).exists())
             for name in tool.programs]
    plugins = {f"{tool.plugins}/{path.name}": path.read_bytes()
               for path in (root / tool.plugins).glob("*.so")} if tool.plugins else {}
    return tool.files | plugins | packages.for_guest(root, paths, PLACE)


def files(kernel, layers):
    """What a guest needs for the layers, beside its own: programs, and modules for `load`."""
    found = {}
    for name in sorted({layer.tool for layer in layers} - {""}):
        found |= program_files(name) | guest.module_files(kernel, TOOLS[name].modules)
    return found
