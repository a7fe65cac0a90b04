# SPDX-License-Identifier: GPL-2.0-or-later
"""A crash kernel that kdump-config loads, with the volume key of an encrypted target in memory."""

KEY = "/var/crash/kept-volume-key"
CONFIG = f"KDUMP_LUKS_KEY={KEY}\n"

# KDUMP_KERNEL and KDUMP_INITRD: what there is to load was built on the host. Each key that has to
# be refused is tried before the right one.
SCRIPT = """
mkdir -p /var/crash /var/lib/kdump /etc/default
mount --bind $target/@FOLDER@ /var/crash || fail bind
: > /kdump.img.manifest
umask 077
cp /etc/luks-volume-key @KEY@
cp @KEY@ /outside
head -c 64 /dev/zero > /var/crash/kept-wrong-key
head -c 32 @KEY@ > /var/crash/kept-short-key
cp @KEY@ /var/crash/kept-open-key
chmod 644 /var/crash/kept-open-key
load_with() {
  cat > /etc/default/kdump-tools <<END
USE_KDUMP=1
KDUMP_KERNEL=/vmlinuz
KDUMP_INITRD=/kdump.img
KDUMP_LUKS_KEY=$1
KDUMP_CMDLINE="@LINE@"
KDUMP_CMDLINE_APPEND=" "
END
  kdump-config load
}
refused() {  # FILE REASON
  load_with $1 > /said 2>&1 && fail "loaded with $1"
  cat /said
  grep -q "$2" /said || fail "another reason than $2"
  [ $(cat /sys/kernel/kexec_crash_loaded) = 0 ] || fail "loaded in spite of $1"
}
refused /missing "No such file"
refused /outside "does not lie on"
refused /var/crash/kept-open-key "not root's alone"
refused /var/crash/kept-short-key "has 32 bytes"
refused /var/crash/kept-wrong-key "does not have the volume key"
load_with @KEY@ || fail kdump-config load
cmp /kdump.img /var/lib/kdump/loaded/initrd.img || fail "the kept image is another one"
umount /var/crash
"""


def load(command_line, dump_folder):
    """Shell that loads the kernel and image of a crash test."""
    return (SCRIPT.replace("@FOLDER@", dump_folder).replace("@KEY@", KEY)
            .replace("@LINE@", command_line))
