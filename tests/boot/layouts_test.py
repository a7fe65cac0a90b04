#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds init's reader of LVM against lvm on generated layouts: layouts_test.py LAYOUT_READER

One guest makes them all with Debian's lvm2 and prints the tables that it has loaded; init has to make
the same of the disks, name and uuid included. The seed is fixed: a failure can be looked at again.
"""

import pathlib
import random
import re
import subprocess
import sys
import tempfile

import guest
import kernels
import qemu
import storage_tools
from layers import wait_for
from logical_volumes import Group
from paths import BOOT

LAYOUTS = 36
MIB = 2048  # sectors
SLICE = 24 * MIB  # of one physical volume
DISKS = 4  # each layout has at most one physical volume on each
EDGE = 4 << 20  # bytes at both ends of a slice, where metadata is


def start_of(number):
    """Sector of a layout on each disk; what lies at the start of one would be taken for all of it."""
    return (number + 1) * SLICE


def physical(chance, index, number, wraps):
    """pvcreate of one: where label, metadata and data lie."""
    options = [f"--labelsector {chance.randrange(4)}"]
    if wraps:  # a ring that is written round after a few changes
        options += ["--metadatasize 32k", "--dataalignment 16k"]
    else:
        options.append(f"--dataalignment {chance.choice(('64k', '256k', '1m', '3m'))}")
        if chance.random() < 0.3:
            options.append("--dataalignmentoffset 8k")
    # One of the group has to have metadata.
    options.append(f"--pvmetadatacopies {chance.choice((1, 2) if index == 0 else (0, 1, 2))}")
    return f"lvm pvcreate -qq -ff -y {' '.join(options)} /dev/mapper/p{number}-{index}"


def layout(number):
    """Shell that makes one volume group and prints what lvm makes of it."""
    chance = random.Random(number)
    count = chance.randint(1, DISKS)
    wraps = number % 4 == 3
    group = chance.choice(("vg", "a-b", "g--", "x.y+z", "_")) + str(number)
    start = start_of(number)
    lines = [f"dmsetup create p{number}-{index} --table "
             f'"0 {SLICE} linear /dev/vd{chr(97 + index)} {start}"' for index in range(count)]
    lines += [physical(chance, index, number, wraps) for index in range(count)]
    places = " ".join(f"/dev/mapper/p{number}-{index}" for index in range(count))
    lines.append(f"lvm vgcreate -qq -s {chance.choice(('64k', '256k', '1m'))} {group} {places}")
    names = []
    for volume in range(chance.randint(1, 3)):
        name = chance.choice(("root", "v-", "a.b-c", "d--e")) + str(volume)
        stripes = chance.randint(1, count)
        extents = chance.randint(1, 12)
        shape = f"-i {stripes} -I {chance.choice((4, 16, 64))}k" if stripes > 1 else ""
        lines.append(f"lvm lvcreate -qq -Wn {shape} -l {extents * stripes} -n {name} {group}")
        names.append(name)
    for _ in range(chance.randint(0, 5) + 16 * wraps):
        lines.append(chance.choice((
            f"lvm lvextend -qq -l +{chance.randint(1, 3) * count} {group}/{chance.choice(names)}",
            f"lvm lvchange -qq --addtag tag{chance.randrange(99)} {group}/{chance.choice(names)}",
            f"lvm lvreduce -qq -f -l -1 {group}/{names[0]}")))
    # There may be no room to extend a volume, and nothing left to reduce.
    optional = ("lvm lvextend", "lvm lvreduce")
    tried = [f"{line} 2>/dev/null {'' if line.startswith(optional) else '|| fail layout'}"
             for line in lines]
    return "\n".join((*tried, f"echo guest: layout {number} {count}",
                      f"dmsetup info -c --noheadings -o name,major,minor | grep '^p{number}-'",
                      f"lvm lvs --noheadings -o vg_uuid,lv_uuid,lv_dm_path {group}",
                      f"for name in $(lvm lvs --noheadings -o lv_dm_path {group}); do "
                      "dmsetup info -c --noheadings -o name,uuid $name; dmsetup table $name; done",
                      "echo guest: end of layout", f"lvm vgchange -qq -an {group} || fail vgchange",
                      # Each command of lvm looks at all devices.
                      *(f"dmsetup remove p{number}-{index}" for index in range(count))))


def make(folder):
    """The disks with all layouts, and what the guest said."""
    disks = [folder / f"disk{index}" for index in range(DISKS)]
    for disk in disks:
        with open(disk, "wb") as file:
            file.truncate(start_of(LAYOUTS) * 512)
    kernel = kernels.unpacked("bookworm")
    script = "\n".join(("load virtio_pci virtio_blk dm_mod", wait_for(f"/dev/vd{chr(96 + DISKS)}"),
                        *(layout(number) for number in range(LAYOUTS))))
    said = guest.do(kernel, script, BOOT / "layouts.log", timeout=900,
                    files=storage_tools.files(kernel, (Group("", ()),)),
                    drives=[qemu.Drive(disk, "virtio-blk") for disk in disks]).text
    return disks, said


def show(disks, number, numbers, folder):
    """The physical volumes of a layout as a /sys/class/block and a /dev."""
    for index, device in enumerate(numbers):
        name = f"p{index}"
        (folder / "sys" / name).mkdir(parents=True)
        (folder / "dev").mkdir(exist_ok=True)
        (folder / "sys" / name / "size").write_text(f"{SLICE}\n")
        (folder / "sys" / name / "dev").write_text(f"{device}\n")
        with open(disks[index], "rb") as source, open(folder / "dev" / name, "wb") as copy:
            for offset in (0, SLICE * 512 - EDGE):
                source.seek(start_of(number) * 512 + offset)
                copy.seek(offset)
                copy.write(source.read(EDGE))


def expected_of(text):
    """Numbers of the physical volumes, and for each volume its ids and what lvm has loaded."""
    lines = [line.strip() for line in text.strip().splitlines()]
    numbers = [f"{major}:{minor}" for _, major, minor in sorted(
        re.findall(r"^(p\d+-\d+):(\d+):(\d+)$", "\n".join(lines), re.M))]
    ids = [line.split() for line in lines if "/dev/mapper/" in line]
    volumes = []
    for group, volume, path in ids:
        head = next(i for i, line in enumerate(lines)
                    if line.startswith(pathlib.Path(path).name + ":LVM-"))
        table = []
        for line in lines[head + 1:]:
            if not re.match(r"\d+ \d+ (linear|striped) ", line):
                break
            table.append(line)
        volumes.append((group, volume, [lines[head].replace(":", " ", 1), *table]))
    return numbers, volumes


def problems(reader):
    BOOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BOOT) as scratch:
        disks, said = make(pathlib.Path(scratch))
        layouts = re.findall(r"guest: layout (\d+) \d+\n(.*?)guest: end of layout", said, re.S)
        if len(layouts) != LAYOUTS:
            yield f"{len(layouts)} layouts of {LAYOUTS} were made"
        compared = 0
        for number, text in layouts:
            numbers, volumes = expected_of(text)
            folder = pathlib.Path(scratch) / f"layout{number}"
            show(disks, int(number), numbers, folder)
            for group, volume, wanted in volumes:
                run = subprocess.run([reader, folder, group, volume], capture_output=True,
                                     text=True, check=False)
                compared += len(wanted) > 1
                if run.stdout.splitlines() != wanted:
                    yield f"layout {number}, volume {volume}: lvm has {wanted}, init {run.stdout!r}"
        print(f"{compared} volumes in {len(layouts)} layouts compared")
        if compared < LAYOUTS:
            yield "hardly a volume was compared"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    failed = list(problems(sys.argv[1]))
    print("\n".join(f"FAILED: {problem}" for problem in failed))
    sys.exit(1 if failed else 0)
