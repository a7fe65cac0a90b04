#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian guest crashes three times, and each time saves its dump in another way:

debian_guest.py SUITE

A suite of Debian with its own kernel, systemd and initramfs-tools, and nothing added but our package,
which was built for it:
1. The package's autopkgtest, debian/tests/crash: the image saves the dump.
2. It finds that dump, which was verified in the background; a second kernel comes, is loaded in the
   place of the one that runs (KDUMP_KERNEL_VERSION) and goes; the package is upgraded, removed and
   installed; then KDUMP_CAPTURE=rootfs, the real root saves the dump, with the image that was loaded
   before one that the kernel refuses.
3. The dump goes to a second disk, an automount at the load, whose file system is destroyed after it:
   the image fails and hands over to the real root, which cannot mount it either and saves to the root
   file system.
"""

import re
import shutil
import subprocess
import sys

import debian_root
import kernels
import qemu
from paths import SOURCE

PANIC = "Kernel panic - not syncing: sysrq triggered crash"
# Seconds from the start of kdump-config load to the image, and from there to its end; emulated they
# are 2 to 3 and as many on an idle host. This finds what waits for something, and no slow machine.
LONGEST_STEP = 60
# Name, crashkernel=, and what the console has to say after the panic.
CRASHES = (
    ("direct", "96M", ("result: saved", "end: reboot")),
    ("rootfs", "192M", ("root: handing over to it", "saved vmcore in /var/crash/")),
    ("target-destroyed", "192M", ("result: failed", "the root file system tries again",
                                  "root: handing over to it", "saved vmcore in /var/crash/")),
)

# Once in each boot, when everything else has started.
UNIT = """[Unit]
After=kdump-tools.service basic.target
[Service]
Type=idle
ExecStart=/usr/local/sbin/guest-test
[Install]
WantedBy=multi-user.target
"""
SCRIPT = r"""#!/bin/sh
exec >/dev/ttyS0 2>&1
version=$(uname -r)
mark=/var/lib/guest-mark
config=/etc/default/kdump-tools
verify=kdump-tools-verify.service
check() { # NAME COMMAND...
  name=$1; shift
  if "$@"; then echo "GUEST ok: $name"; else echo "GUEST failed: $name"; fi
}
loaded() { [ "$(cat /sys/kernel/kexec_crash_loaded)" = "$1" ]; }
loads() { [ "$(journalctl -b -o cat -t kdump-config | grep -c '^loaded kdump')" = "$1" ]; }
look() { AUTOPKGTEST_REBOOT_MARK=crashed /root/crash; }
count() { [ "$(find /var/crash -name 'dump.*' -type f | wc -l)" = "$1" ]; }
verified() { # COMMAND: that load started it and it has ended with "whole", says kdump-config COMMAND
  while [ "$(systemctl is-active $verify)" = activating ]; do sleep 1; done
  # systemd forgets a unit that has ended.
  journalctl -b -o cat -u $verify | grep -q 'dump\..*: whole' || return 1
  kdump-config "$1" | grep -A1 '^last dump .*/dump\.' | grep -x '  whole'
}
learned() { kdump-config show | grep "memory of the kernel: measured in a capture on "; }
# The default of a oneshot is none, and basic.target waits for this one.
limited() { systemctl show -p TimeoutStartUSec kdump-tools | grep -v =infinity; }
comes_back() { # a load that fails, to the one before it
  # Larger than the reservation, which kexec_file_load(2) finds out when it has freed what is loaded.
  truncate -s 220M /root/too-large
  echo KDUMP_INITRD=/root/too-large >> $config
  said=$(kdump-config reload 2>&1)
  ended=$?
  sed -i '/^KDUMP_INITRD/d' $config
  rm /root/too-large
  echo "$said"
  [ "$ended" != 0 ] && echo "$said" | grep -q 'the kernel and image of the load before are loaded again'
}
targets() { kdump-mkinitrd --dry-run "$version" | grep "target  ext4 on $1 for /var/crash"; } # DISK
unused() { ! grep "^/dev/$1 " /proc/mounts && grep '^systemd-1 /var/crash autofs ' /proc/mounts; } # DISK
panics() { # MARK
  echo "$1" > $mark
  sync
  echo "GUEST panics"
  echo c > /proc/sysrq-trigger
}
kernel_package() {
  other=$(dpkg-deb -f /root/second/linux-image-*.deb Package)
  other=${other#linux-image-}
  image=/var/lib/kdump/initrd.img-$other
  for base in /root/second/linux-base_*.deb; do [ ! -e "$base" ] || dpkg -i "$base"; done
  check "a kernel is installed" dpkg -i /root/second/linux-*"$other"_*.deb
  check "its hook builds the image" test -s "$image"
  check "kdump-mkinitrd calls it fresh" kdump-mkinitrd --check "$other"
  # The cloud kernel of 6.1 needs less than the one that runs, that of 7.3 more than 6.12.
  setting=smallest
  case $other in 7.*) setting=$other ;; esac
  echo "KDUMP_KERNEL_VERSION=$setting" >> $config
  check "it is loaded in the place of the one that runs" kdump-config reload
  check "the links lead to it" test "$(readlink /var/lib/kdump/initrd.img)" = "$image"
  check "which is as it should be" kdump-config status
  check "the kernel is removed" dpkg --purge $(dpkg-query -W -f '${Package}\n' "linux-*-$other")
  check "its hook removes the image" test ! -e "$image"
  check "no file of it is left" test -z "$(ls -A /var/lib/kdump | grep "$other")"
  check "the kernel that runs takes its place" kdump-config reload
  sed -i '/^KDUMP_KERNEL_VERSION/d' $config
  check "the links lead to the kernel that runs" \
    test "$(readlink /var/lib/kdump/initrd.img)" = "/var/lib/kdump/initrd.img-$version"
  check "the kernel stays loaded" loaded 1
}
package() {
  check "upgrade" dpkg -i /root/kdump-mkinitrd_*.deb
  check "a kernel is loaded after the upgrade" loaded 1
  check "removal" dpkg --remove kdump-mkinitrd
  check "no kernel is loaded after the removal" loaded 0
  check "installation" dpkg -i /root/kdump-mkinitrd_*.deb
  check "a kernel is loaded after the installation" loaded 1
}
destroyed_target() {
  sed -i '/^KDUMP_CAPTURE/d' $config
  check "a file system on another disk" mkfs.ext4 -q /dev/vdb
  check "an automount of it" systemd-mount --automount=yes --fsck=no /dev/vdb /var/crash
  check "which nobody has used yet" unused vdb
  check "kdump-mkinitrd sees through it" targets vdb
  check "load, target on another disk" kdump-config reload
  # For the next boot.
  echo "UUID=$(blkid -s UUID -o value /dev/vdb) /var/crash ext4 defaults 0 2" >> /etc/fstab
  kdump-config status
  # All but the superblock: it is found, cannot be mounted, and fsck cannot repair it unasked.
  dd if=/dev/urandom of=/dev/vdb bs=4096 seek=1 count=4096 conv=fsync,notrunc
}
printf '#!/bin/sh\necho "$1" > %s\n' "$mark" > /tmp/autopkgtest-reboot-prepare
chmod +x /tmp/autopkgtest-reboot-prepare
find /var/crash -type f -printf 'GUEST file: %p %s\n'
case $(cat $mark 2>/dev/null) in
  "")
    kdump-config show
    ls -l /var/lib/kdump
    for moment in Start Exit; do
      time=$(systemctl show kdump-tools --timestamp=us --value -p ExecMain${moment}Timestamp)
      echo "GUEST time: $moment=$(date -d "$time" +%s.%N)"
    done
    stat -c 'GUEST time: Image=%.Y' "/var/lib/kdump/initrd.img-$version"
    check "the load cannot hold the boot for ever" limited
    check "autopkgtest, until the crash" /root/crash
    ;;
  crashed)
    check "autopkgtest, after the crash" look
    check "loaded once in this boot" loads 1
    check "load has the new dump verified, and status tells" verified status
    check "show tells it as well" verified show
    check "the figures of the capture are kept" test -s "/var/lib/kdump/measured-$version.json"
    check "the memory model uses them" learned
    kernel_package
    package
    echo KDUMP_CAPTURE=rootfs >> $config
    check "load with KDUMP_CAPTURE=rootfs" kdump-config reload
    systemctl --failed --plain --no-legend | sed 's/^/GUEST failed: unit /'
    check "a reload that the kernel refuses says what is loaded" comes_back
    check "and it is loaded" loaded 1
    panics rootfs
    ;;
  rootfs)
    check "the dump that the real root saved" look
    check "two dumps" count 2
    destroyed_target
    panics destroyed
    ;;
esac
echo "GUEST failed: it did not panic"
systemctl --force --force poweroff
"""


def shrink_second_kernel(root):
    """Makes the packages in /root/second quick to install.

    They are real, with their maintainer scripts, but an emulated machine would unpack 100 MB of xz
    for minutes: only the drivers that the guest needs are kept, and nothing is compressed.
    """
    for package in root.glob("root/second/*.deb"):
        scratch = root / "root/unpacked"
        debian_root.run("dpkg-deb", "-R", package, scratch)
        for modules in (*scratch.glob("lib/modules/*/kernel"), *scratch.glob("usr/lib/modules/*/kernel")):
            for folder in (*modules.glob("drivers/*"), *modules.glob("fs/*"), modules / "net", modules / "sound"):
                if folder.name not in ("block", "virtio", "ext4", "jbd2") and "mbcache" not in folder.name:
                    debian_root.run("rm", "-rf", folder)
        debian_root.run("dpkg-deb", "--root-owner-group", "-Znone", "-b", scratch, package)
        shutil.rmtree(scratch)


def prepare_packages(root):
    debian_root.write(root, "root/crash", (SOURCE / "debian/tests/crash").read_text(), 0o755)
    shrink_second_kernel(root)
    # It would pack an initrd for the second kernel, which nobody is going to boot.
    (root / "etc/kernel/postinst.d/initramfs-tools").chmod(0o644)


def make_disk(suite, folder, script, prepare=None):
    """The disk, kernel and initrd of a guest with the package installed, which runs `script`."""
    root = debian_root.copy(folder.name.removeprefix(f"{suite}-"), suite)
    print(debian_root.install(root, debian_root.package(suite)), end="")
    images = [path.name for path in (root / "var/lib/kdump").iterdir()]
    if images:
        raise SystemExit(f"FAILED: installing in a chroot made {images}")
    debian_root.write(root, "etc/fstab", f"UUID={debian_root.UUID} / ext4 defaults 0 1\n")
    debian_root.write(root, "etc/hostname", "guest\n")
    debian_root.write(root, "etc/systemd/system/guest-test.service", UNIT)
    debian_root.write(root, "usr/local/sbin/guest-test", script, 0o755)
    if prepare:
        prepare(root)
    debian_root.chroot(root, "systemctl", "enable", "guest-test.service")
    debian_root.chroot(root, "systemctl", "mask", "serial-getty@ttyS0.service",
                       "getty@tty1.service", "apt-daily.timer", "apt-daily-upgrade.timer",
                       "systemd-networkd-wait-online.service")
    (root / debian_root.POLICY).unlink()
    disk = folder / "disk.img"
    debian_root.run("mkfs.ext4", "-q", "-F", "-U", debian_root.UUID, "-d", root, disk, "2G")
    (image,) = root.glob("boot/vmlinuz-*")
    kernel = kernels.Kernel(folder, image.name.removeprefix("vmlinuz-"))
    (folder / "boot").mkdir()
    for name in (image.name, f"initrd.img-{kernel.version}"):
        shutil.copyfile(root / "boot" / name, folder / "boot" / name)
    debian_root.remove(root)
    return disk, kernel


def boot(kernel, disks, crashkernel, log, cut_at=None):
    line = f"root=UUID={debian_root.UUID} ro console=ttyS0 crashkernel={crashkernel} quiet"
    initrd = kernel.root / "boot" / f"initrd.img-{kernel.version}"
    return qemu.run(kernel.image, initrd, line, log, timeout=600,
                    drives=[qemu.Drive(disk, "virtio-blk") for disk in disks], cut_at=cut_at)


def said(console, kind):
    return re.findall(rf"GUEST {kind}: ([^\r\n]*)", console.text)


def first_load(console):
    """Seconds from the start of the first load to its image, which had to be built, and to its end."""
    times = {name: float(time) for name, time in (t.split("=") for t in said(console, "time"))}
    return times["Image"] - times["Start"], times["Exit"] - times["Start"]


def problems_of(console, needles):
    """What is not as it has to be in one boot, its crash and its capture."""
    problems = said(console, "failed")
    if not console.when(PANIC):
        return problems + ["the guest did not come as far as its panic"]
    if console.timed_out or "reboot: machine restart" not in console.text:
        problems.append("the machine did not restart after its panic")
    after = console.text.partition(PANIC)[2]
    return problems + [f"the console does not say {text!r}" for text in needles
                       if text not in after]


def files_of(disk):
    """Paths and types in /var/crash of a disk that nothing has mounted since the last crash."""
    subprocess.run(["e2fsck", "-fy", disk], stdout=subprocess.DEVNULL, check=False)  # the journal
    folder = disk.parent / "crash"
    shutil.rmtree(folder, ignore_errors=True)
    debian_root.run("debugfs", "-R", f"rdump /var/crash {disk.parent}", disk)
    return {str(path.relative_to(folder)): debian_root.run("file", "-b", path).strip()
            for path in folder.rglob("*") if path.is_file()}


def main():
    suite = debian_root.suite_of(sys.argv, __doc__)
    debian_root.need_root()
    folder = debian_root.FOLDER / f"{suite}-crashes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    disk, kernel = make_disk(suite, folder, SCRIPT, prepare_packages)
    second = folder / "second.img"
    with open(second, "wb") as file:
        file.truncate(256 << 20)
    problems, consoles = [], []
    for name, crashkernel, needles in CRASHES:
        console = boot(kernel, (disk, second), crashkernel, folder / f"{name}.log")
        consoles.append(console)
        problems += problems_of(console, needles)
        print("\n".join(f"  ok: {text}" for text in said(console, "ok")))
        if problems:
            break
        print(f"{name}, crashkernel={crashkernel}: panic after {console.when(PANIC):.0f} s, then "
              f"{console.lines[-1][0] - console.when(PANIC):.0f} s to the restart")
    else:
        build, load = first_load(consoles[0])
        print(f"kdump-config load at first boot: image after {build:.1f} s, loaded after {load:.1f} s")
        if max(build, load - build) > LONGEST_STEP:
            problems.append("the first load took too long")
        files = files_of(disk)
        dumps = [path for path, kind in files.items() if "/dump." in path
                 and kind.lower().startswith("kdump compressed dump")]
        if len(dumps) != len(CRASHES) or any("incomplete" in path for path in files):
            problems.append(f"not {len(CRASHES)} dumps: {files}")
    if not problems:
        for path in (disk, second):
            path.unlink()
        return 0
    print("\n".join(f"FAILED: {problem}" for problem in problems))
    print(f"console: {consoles[-1].log}\n{consoles[-1].tail(80)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
