# SPDX-License-Identifier: GPL-2.0-or-later
"""A root that init hands over to: the guest's own programs, and a /sbin/init that saves the dump.

It stands for a Debian, which boot.debian-SUITE has, on the storage layers that a Debian may lie on.
"""

import judge

CONFIG = "KDUMP_CAPTURE=rootfs\n"
PROGRAMS = ("/usr/bin/makedumpfile",)

# /init of the guest has them in place of directories of their own.
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DM_DISABLE_UDEV=1
fail() { echo "root: failed: $*"; reboot -f; }
echo "root: $(grep ' / ' /proc/mounts)"
mount -o remount,rw / || fail remount
mount -t tmpfs run /run
[ ! -x /usr/bin/lvm ] || lvm lvs --noheadings -o lv_name,lv_active | sed 's/^/root: lvm:/'
stamp=$(date +%Y%m%d%H%M)
mkdir -p /var/crash/$stamp && cd /var/crash/$stamp || fail mkdir
makedumpfile -c -d 31 /proc/vmcore dump.$stamp || fail makedumpfile
makedumpfile --dump-dmesg /proc/vmcore dmesg.$stamp || fail makedumpfile --dump-dmesg
sync
mount -o remount,ro / || fail remount
echo "root: saved"
reboot -f
"""
PREPARE = f"""
for folder in bin usr sbin lib lib64 opt etc; do
  [ ! -e /$folder ] || cp -a /$folder $target/ || fail cp $folder
done
(cd $target && mkdir -p sbin proc sys dev run tmp)
cat > $target/sbin/init <<'END'
{INIT}END
chmod 755 $target/sbin/init
"""


def saved(said):
    """The real root came up on a mapped device, said so, and saved the dump."""
    def judged(crash):
        folder, stamp, problems = judge.run_directory(crash)
        problems += judge.ended(crash)
        for text in ("root: /dev/dm-", said, "root: saved"):
            problems += judge.console(crash, text)
        if folder is None:
            return problems
        problems += judge.names(folder, [f"dump.{stamp}", f"dmesg.{stamp}"])
        if problems:
            return problems
        return (judge.dmesg_file(folder, stamp)
                + judge.dump_file(folder / f"dump.{stamp}", crash.saved.parent))
    return judged
