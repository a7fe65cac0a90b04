#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records the machines of machines.py and network_disks.py: tests/boot/record.py BUILDER [NAME]...

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
import network_disks
from paths import BOOT, MACHINES

# Ours is a machine without users, addresses or serial numbers: the record has nothing to hide.
SCRIPT = """
{mounts}
cd /new
mkdir -p proc sys dev etc run tmp
for part in proc sys dev; do mount --rbind /$part $part || fail bind $part; done
cp -a /bin /usr /lib /lib64 . || fail copy programs  # a mount would be a /usr of its own
cat > etc/fstab <<END
{fstab}
END
chroot /new /usr/bin/kdump-mkinitrd --record /run/machine.json {version} || fail record
mkdir /record
cp run/machine.json /record/ || fail copy
hand_over /record
"""


def script(mounts, fstab, kernel):
    return SCRIPT.format(mounts=mounts, fstab="\n".join(fstab), version=kernel.version)


def script_of(machine, kernel):
    mounts, fstab = [disks.bring_up(machine.layers), "mkdir -p /new"], []
    for disk in machine.disks:
        point = "/new" + disk.mount_point.rstrip("/")
        mounts += [f"mkdir -p {point}",
                   f"mount -t {disk.kind} -o {disk.options} {disk.device} {point} || fail mount"]
        fstab.append(f"UUID={disk.uuid} {disk.mount_point} {disk.kind} {disk.options} 0 1")
    if machine.disks[0].mount_point != "/":
        raise SystemExit(f"{machine.name}: the first disk has to hold /")
    return script("\n".join(mounts), fstab, kernel)


def record(name, builder):
    """Writes tests/machines/NAME.json."""
    if name in network_disks.DISKS:
        disk = network_disks.DISKS[name]
        kernel = kernels.unpacked(disk.kernel)
        text = script(disk.mounts, [f"UUID={disk.uuid} / ext4 defaults 0 1"], kernel)
        fetch(name, builder, kernel, text, files=disk.files(kernel))
        return
    machine = machines.MACHINES[name]
    kernel = kernels.unpacked(machine.kernel)
    pristine = disks.prepared(machine)
    with tempfile.TemporaryDirectory(dir=BOOT) as scratch:
        copies = disks.copy(pristine, pathlib.Path(scratch))
        fetch(name, builder, kernel, script_of(machine, kernel), files=disks.tools(machine, kernel),
              drives=disks.drives(machine, copies))


def fetch(name, builder, kernel, text, **options):
    BOOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BOOT) as share:  # what it hands over
        guest.fetch(kernel, text, BOOT / f"record-{name}.log", pathlib.Path(share),
                    programs=[builder], command_line="crashkernel=192M", **options)
        shutil.copy(pathlib.Path(share) / "machine.json", MACHINES / f"{name}.json")
    print(f"recorded {name}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for name in sys.argv[2:] or (*machines.MACHINES, *network_disks.DISKS):
        record(name, sys.argv[1])
