#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs the package over kdump-tools in a Debian root directory, and purges both:

debian_upgrade.py SUITE
"""

import re
import sys

import debian_root
from debian_root import chroot
from paths import SOURCE

DUMP = "var/crash/202601010000/dump.202601010000"
CONFIG = "etc/default/kdump-tools"
INIT_SCRIPT = "etc/init.d/kdump-tools"
KEPT = "var/backups/kdump-tools"
ENABLED = ("etc/systemd/system/basic.target.wants/kdump-tools.service",
           "etc/systemd/system/multi-user.target.wants/kdump-tools-dump.service")


class Checks:
    def __init__(self):
        self.failed = 0

    def __call__(self, name, right, detail=""):
        print(f"  {'ok' if right else 'FAILED'}: {name}{'' if right else f' {detail}'}")
        self.failed += not right


def upgrade(root, suite, check):
    # Both packages would have the guest's own initrd made again, a minute each.
    debian_root.write(root, "etc/initramfs-tools/update-initramfs.conf", "update_initramfs=no\n")
    (old,) = (root / "root").glob("kdump-tools_*.deb")
    debian_root.install(root, old)
    with open(root / CONFIG, "a", encoding="utf-8") as config:
        config.write("KDUMP_NUM_DUMPS=7 # as the administrator wants it\n")
    settings = (root / CONFIG).read_bytes()
    grub = root / "etc/default/grub.d/kdump-tools.cfg"
    # 384M-:128M in Debian 12, 512M-:192M in Debian 13.
    grub.write_text(re.sub(r"-:\d+M", "-:256M", grub.read_text()))
    reserved = re.search(r"crashkernel=(\S+:256M)", grub.read_text())[1]
    debian_root.write(root, DUMP, "a dump\n")

    print(debian_root.install(root, debian_root.package(suite)), end="")
    check("settings are kept", (root / CONFIG).read_bytes() == settings)
    check("a changed conffile is kept", "256M" in grub.read_text())
    shipped = (SOURCE / "hooks/sysctl.conf").read_bytes()
    check("an unchanged conffile is replaced",
          (root / "etc/kdump/sysctl.conf").read_bytes() == shipped)
    check("the units are enabled", all((root / path).is_symlink() for path in ENABLED))
    kept = [path.name for path in (root / "var/lib/kdump").iterdir()]
    check("no image is built in a chroot", kept == ["crashkernel"], kept)
    check("the reservation of kdump-tools is kept",
          (root / "var/lib/kdump/crashkernel").read_text() == f"{reserved}\n")
    (kernel,) = root.glob("boot/vmlinuz-*")
    version = kernel.name.removeprefix("vmlinuz-")
    said = chroot(root, "run-parts", "--exit-on-error", f"--arg={version}",
                  "--regex=^kdump-tools$", "/etc/kernel/postinst.d")
    check("the kernel hook builds nothing in a chroot", "in a chroot" in said and
          [path.name for path in (root / "var/lib/kdump").iterdir()] == kept, said)


def purge_old(root, check):
    """kdump-tools takes its configuration along, and the enabling of units that have its names."""
    settings = (root / CONFIG).read_bytes()
    said = chroot(root, "dpkg", "--purge", "kdump-tools")
    check("the purge of the old package went to its end", "Purging configuration" in said, said)
    check("its own conffile is gone", not (root / INIT_SCRIPT).exists())
    check("programs stay when the old package is purged", (root / "usr/sbin/kdump-config").exists())
    check("settings are there again, as the administrator wrote them",
          (root / CONFIG).read_bytes() == settings, said)
    check("the units are enabled again", all((root / path).is_symlink() for path in ENABLED), said)
    check("there is a place for images", (root / "var/lib/kdump").is_dir())
    check("no copy is left", not (root / KEPT).exists())


def purge(root, check):
    debian_root.write(root, "var/lib/kdump/initrd.img-6.1.0-test", "image\n")
    debian_root.write(root, "var/crash/kexec_cmd", "kexec\n")
    debian_root.write(root, "srv/crash/kexec_cmd", "kexec\n")
    with open(root / CONFIG, "a", encoding="utf-8") as config:
        config.write('KDUMP_COREDIR="/srv/crash"\nKDUMP_COREDIR="$(touch /srv/evaluated)"\n')
    chroot(root, "dpkg", "--purge", "kdump-mkinitrd")
    places = ("etc", "lib/systemd", "usr/lib/systemd", "usr/sbin", "usr/share", "var/lib/kdump",
              "var/lib/systemd", "var/backups", "var/crash")
    left = chroot(root, "sh", "-c",
                  f"find {' '.join(f'/{place}' for place in places)} -path '*kdump*' ! -path '*/libkdumpfile*' 2>/dev/null; "
                  "find /var/crash -type f").split()
    check("purge leaves nothing but dumps", left == [f"/{DUMP}"], left)
    left = list((root / "srv").rglob("*"))
    check("nor a command in another dump directory, and evaluates nothing",
          left == [root / "srv/crash"], left)


def purge_below_old(root, suite, check):
    """kdump-tools came back in our place; what it uses is not ours any more."""
    (old,) = (root / "root").glob("kdump-tools_*.deb")
    debian_root.install(root, debian_root.package(suite))
    chroot(root, "dpkg", "--remove", "kdump-mkinitrd")
    debian_root.install(root, old)
    used = (CONFIG, "var/lib/kdump/initrd.img-6.1.0-test", "var/crash/kexec_cmd")
    for path in used[1:]:
        debian_root.write(root, path, "of kdump-tools\n")
    enabled = [path.relative_to(root)
               for path in (root / "etc/systemd/system").glob("*.wants/kdump-tools*")]
    chroot(root, "dpkg", "--purge", "kdump-mkinitrd")
    lost = [path for path in (*used, *enabled)
            if not ((root / path).is_symlink() or (root / path).exists())]
    check("purge leaves what kdump-tools uses by now", enabled and not lost, lost)


def main():
    suite = debian_root.suite_of(sys.argv, __doc__)
    debian_root.need_root()
    root = debian_root.copy("upgrade", suite)
    check = Checks()
    upgrade(root, suite, check)
    purge_old(root, check)
    purge(root, check)
    purge_below_old(root, suite, check)
    debian_root.remove(root)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
