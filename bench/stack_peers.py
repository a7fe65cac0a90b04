# SPDX-License-Identifier: GPL-2.0-or-later
"""The builders side by side where / is a logical volume of LVM on an MD raid1 of two disks.

Debian 12 with lvm2 and mdadm lies there and boots in QEMU: kdump-tools makes its image, dracut is
called, and ours records the machine, all on the live system that they are made for.
"""

import json
import pathlib
import shlex
import shutil
import tarfile

import machine  # first: it adds the crash rig to the path
import builders
import debian_root
import disks
import guest
import kernels
import packages
import panics
import qemu
from layers import FileSystem, wait_for
from logical_volumes import Group, Volume
from machines import Machine, scsi, uuid
from panics import Series, Testbed
from stacks import Array

TITLE = "LVM on MD raid1"
FOLDER = machine.OUT / "stack"
MIB = 1536  # of the root file system
ARRAY = Array(scsi(2, partition=True, megabytes=MIB + 256), "1", uuid(150))
VOLUME = Volume(Group("deb-vg", (ARRAY,)), "root", f"lvcreate -qq -L {MIB}m -n root deb-vg")
MACHINE = Machine("bench-lvm-md-raid1", (FileSystem(VOLUME, "ext4", debian_root.UUID),))
COMMAND_LINE = f"root={VOLUME.node} ro console=ttyS0"
# As mdadm's own mkconf writes it at the installation.
MDADM_CONF = f"""HOMEHOST <system>
MAILADDR root
ARRAY /dev/md/0 metadata=1.2 UUID={ARRAY.uuid.replace("-", "")}
"""
MODULES = "virtio_scsi\nsd_mod\nraid1\ndm_mod\n"
TOOLS = ("lvm", "mdadm")  # what each image of a peer has to hold
OURS = "opt/kdump-mkinitrd"
RECORDER = f"""#!/bin/sh
exec >/dev/ttyS0 2>&1
lsblk
mkdir /run/images && cd /run/images &&
cp /var/lib/kdump/initrd.img-* dep.img &&
{shlex.join(("dracut", *builders.DRACUT))} dracut.img {builders.VERSION} &&
kdump-mkinitrd --record machine.json {builders.VERSION} &&
tar -cf /dev/vda . && echo RECORDED
systemctl --force --force poweroff
"""
SERIES = (
    Series("kdump-mkinitrd, packed", "packed.img", "tuned", 70, 74),
    Series("kdump-mkinitrd, packed", "packed.img", "stock", 86, 92),
    Series("mkinitramfs MODULES=dep", "dep.img", "stock", 130, 134),
    # Near its minimum programs are read from the disks again and again: five minutes for a dump.
    Series("dracut --hostonly", "dracut.img", "stock", 144, 160, step=4),
)
PEERS = {"mkinitramfs MODULES=dep": "dep.img", "dracut --hostonly": "dracut.img"}


def drives():
    paths = [FOLDER / f"disk{index}.img" for index in range(len(MACHINE.drives))]
    return tuple(disks.drives(MACHINE, paths, read_only=True))


def make_disks(builder):
    """The root as a file system, which a guest then copies to the volume: real tools make the layers."""
    kernel = kernels.unpacked(machine.KERNEL)
    root, image = FOLDER / "root.tmp", FOLDER / "root.img.tmp"
    machine.make_root(root, "lvm2", "mdadm", mounted=VOLUME.node, recorder=RECORDER, disk="vda")
    debian_root.write(root, "etc/mdadm/mdadm.conf", MDADM_CONF)
    for path, content in packages.for_guest(pathlib.Path("/"), (builder,), OURS).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        (root / path).chmod(0o755)
    machine.first_initrd(root, FOLDER / "first.img", MODULES)
    debian_root.run("find", root / "run", "-mindepth", "1", "-delete")
    image.unlink(missing_ok=True)
    debian_root.run("mkfs.ext4", "-q", "-F", "-U", debian_root.UUID, "-d", root, image, f"{MIB}M")
    shutil.rmtree(root)
    paths = disks.copy(disks.prepared(MACHINE), FOLDER)
    script = (disks.bring_up(MACHINE.layers), "load virtio_blk", wait_for("/dev/vda"),
              f"dd if=/dev/vda of={VOLUME.node} bs=1M || fail dd",
              *(layer.stop for layer in reversed(MACHINE.layers)))
    guest.do(kernel, "\n".join(script), FOLDER / "copy.log", timeout=900,
             files=disks.tools(MACHINE, kernel),
             drives=[*disks.drives(MACHINE, paths), qemu.Drive(image, "virtio-blk", read_only=True)])
    image.unlink()


def boot():
    """Boots it once, and fetches what the builders have made there."""
    tar = FOLDER / "record.tar"
    with open(tar, "wb") as file:
        file.truncate(1 << 30)
    console = qemu.run(kernels.unpacked(machine.KERNEL).image, FOLDER / "first.img",
                       f"{COMMAND_LINE} crashkernel=192M quiet", FOLDER / "record.log", timeout=1800,
                       drives=[*drives(), qemu.Drive(tar, "virtio-blk")])
    if not console.when("RECORDED"):
        raise SystemExit(f"the machine was not recorded, see {console.log}\n{console.tail()}")
    with tarfile.open(tar) as archive:
        archive.extractall(FOLDER)
    tar.unlink()
    for image in PEERS.values():
        if missing := missing_tools(debian_root.run("lsinitramfs", FOLDER / image).splitlines()):
            raise SystemExit(f"{image} is without {' and '.join(missing)}")


def missing_tools(paths):
    """Those without which an image with these files cannot reach the volume."""
    return [tool for tool in TOOLS if not any(path.endswith(f"sbin/{tool}") for path in paths)]


def build(builder):
    """Our image of the machine as it was recorded; returns the report."""
    (FOLDER / "kdump-tools.conf").write_text("")  # never this machine's own
    report = builders.build_report(
        (builder, "--facts", FOLDER / "machine.json", "--config", FOLDER / "kdump-tools.conf",
         "--kernel-root", kernels.unpacked(machine.KERNEL).root, "--variant", "packed", "--force",
         "--output", FOLDER / "packed.img", builders.VERSION))
    (FOLDER / "tuned.txt").write_text(report["command_line"])
    return report


def table(rows):
    lines = [f"| {TITLE} | command line | smallest reservation | image, unpacked | panic to saved dump |",
             "|---|---|---|---|---|"]
    lines += [f"| {r['builder']} | {r['line']} | {r['smallest']}M | {r['image_bytes'] / 1e6:.1f} MB, "
              f"{r['unpacked_bytes'] / 1e6:.1f} MB | {r['seconds']:.0f} s |" for r in rows]
    return "\n".join(lines)


def ours_need_least(rows):
    """With either command line, of all."""
    ours = [row["smallest"] for row in rows if row["builder"].startswith("kdump-mkinitrd")]
    return max(ours) < min(row["smallest"] for row in rows if row["builder"] in PEERS)


def compare(builder, resume=False):
    """Prints a table with a row for each builder and command line; `resume` keeps what there is.

    Returns whether ours need the least."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not resume or not (FOLDER / "machine.json").exists():
        make_disks(builder)
        boot()
    report = build(builder)
    testbed = Testbed(FOLDER, COMMAND_LINE, drives())
    rows = []
    for series, figures in panics.measured(resume, SERIES, testbed):
        image = FOLDER / series.image
        unpacked = builders.bytes_in(image) if series.builder in PEERS else report["unpacked_bytes"]
        rows.append({"builder": series.builder, "line": series.line, **figures,
                     "image_bytes": image.stat().st_size, "unpacked_bytes": unpacked})
    if not all(row["smallest"] for row in rows):
        raise SystemExit(f"some never saved: {rows}")
    (FOLDER / "peers.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    return ours_need_least(rows)
