#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records volumes that lvm makes of others, for tests/init/storage: record_volumes.py FOLDER

A guest makes them with Debian's lvm2, prints the tables that it has loaded, and what the tests read is
kept of its disks: the first MiB with label and metadata, as parts-N.xz, and the superblock that the
kernel wrote of a thin pool, as pool.xz.
"""

import lzma
import pathlib
import re
import sys
import tempfile

import guest
import kernels
import qemu
import storage_tools
from layers import wait_for
from logical_volumes import Group
from paths import BOOT

DISKS = 3
KEPT = 1 << 20
PACKING = {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": KEPT}  # init's reader takes no larger
SCRIPT = f"""
load virtio_pci virtio_blk dm_mod raid1 dm_raid raid456 dm_thin_pool dm_snapshot
{wait_for("/dev/vdc")}
lvm pvcreate -qq /dev/vda /dev/vdb /dev/vdc || fail pvcreate
lvm vgcreate -qq -s 1M p-g /dev/vda /dev/vdb /dev/vdc || fail vgcreate
lvm lvcreate -qq -y --type raid1 -m 1 -l 8 -n mirror p-g /dev/vda /dev/vdb || fail mirror
lvm lvcreate -qq -y --type raid1 -m 2 -l 4 -n three p-g || fail three
lvm lvcreate -qq -y --type raid5 -i 2 -l 4 -n five p-g || fail five
lvm lvcreate -qq --type thin-pool -L 16m -c 64k -n pool p-g /dev/vdc || fail pool
lvm lvcreate -qq --thin -V 32m -n thin p-g/pool || fail thin
lvm lvcreate -qq -s -n snap p-g/thin || fail snap
lvm lvcreate -qq -y -l 2 -n base p-g || fail base
lvm lvcreate -qq -y -l 2 -s -n cow p-g/base || fail cow
# Numbers of the parts as lvm gave them do not last, and names do.
for name in $(dmsetup info -c --noheadings -o name); do
  echo "guest: number $(dmsetup info -c --noheadings -o major,minor $name) $name"
done
dmsetup table | sort | sed 's/^/guest: table /'
lvm lvs --noheadings -o vg_uuid,lv_uuid,lv_name p-g | sed 's/^/guest: volume /'
lvm vgchange -qq -an p-g || fail vgchange
"""


def pack(content, path):
    path.write_bytes(lzma.compress(content, check=lzma.CHECK_CRC32, filters=[PACKING]))


def record(folder):
    kernel = kernels.unpacked("bookworm")
    BOOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BOOT) as scratch:
        disks = [pathlib.Path(scratch) / f"disk{index}" for index in range(DISKS)]
        for disk in disks:
            with open(disk, "wb") as file:
                file.truncate(128 << 20)
        said = guest.do(kernel, SCRIPT, BOOT / "record_volumes.log", timeout=300,
                        files=storage_tools.files(kernel, (Group("", ()),)),
                        drives=[qemu.Drive(disk, "virtio-blk") for disk in disks]).text
        for index, disk in enumerate(disks):
            with open(disk, "rb") as file:
                start = file.read(KEPT)
            pack(start, folder / f"parts-{index + 1}.xz")
        sector = int(re.search(r"pool_tmeta: 0 \d+ linear \S+ (\d+)", said).group(1))
        with open(disks[-1], "rb") as file:
            file.seek(sector * 512)
            pack(file.read(4096), folder / "pool.xz")
    print("\n".join(re.findall(r"guest: (?:number|table|volume) .*", said)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    record(pathlib.Path(sys.argv[1]))
