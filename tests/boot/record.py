#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records the machines of machines.py: tests/boot/record.py BUILDER [NAME]...

Boots each machine, mounts its disks as a running system has them, and lets the builder look. What
is written to tests/machines/ is therefore what --record sees on real (emulated) hardware.
"""

import pathlib
import shutil
import sys
import tempfile

import disks
import guest
import kernels
import machines
from paths import BOOT, MACHINES

# Ours is a machine without users, addresses or serial numbers: the record has nothing to hide.
SCRIPT = """
{mounts}
cd /new
mkdir -p proc sys dev bin usr lib lib64 etc run tmp
for part in proc sys dev bin usr lib lib64; do mount --rbind /$part $part || fail bind $part; done
cat > etc/fstab <<END
{fstab}
END
chroot /new /usr/bin/kdump-mkinitrd --record /run/machine.json {version} || fail record
mkdir /record
cp run/machine.json /record/ || fail copy
hand_over /record
"""


def script(machine):
    mounts, fstab = ["mkdir -p /new"], []
    for disk in machine.disks:
        point = "/new" + disk.mount_point.rstrip("/")
        mounts += [disk.bring_up, f"device=$(device_of {disk.uuid})", f"mkdir -p {point}",
                   f"mount -t {disk.file_system} -o {disk.options} $device {point} || fail mount"]
        fstab.append(f"UUID={disk.uuid} {disk.mount_point} {disk.file_system} {disk.options} 0 1")
    if machine.disks[0].mount_point != "/":
        raise SystemExit(f"{machine.name}: the first disk has to hold /")
    return SCRIPT.format(mounts="\n".join(mounts), fstab="\n".join(fstab),
                         version=kernels.unpacked(machine.kernel).version)


def record(machine, builder):
    BOOT.mkdir(parents=True, exist_ok=True)
    kernel = kernels.unpacked(machine.kernel)
    with tempfile.TemporaryDirectory(dir=BOOT) as share:  # what it hands over
        guest.fetch(kernel, script(machine),
                    BOOT / f"record-{machine.name}.log", pathlib.Path(share), programs=[builder],
                    command_line="crashkernel=192M", files=disks.tools(machine, kernel),
                    drives=disks.drives(machine, disks.prepared(machine), read_only=True))
        shutil.copy(pathlib.Path(share) / "machine.json", MACHINES / f"{machine.name}.json")
    print(f"recorded {machine.name}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for name in sys.argv[2:] or machines.MACHINES:
        record(machines.MACHINES[name], sys.argv[1])
