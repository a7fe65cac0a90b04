# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images of machines: made, copied and read back by a guest, so root is not needed."""

import os
import shutil
import subprocess

import guest
import kernels
import qemu
import storage_tools
from layers import layers_of
from paths import BOOT


def drives(machine, paths, read_only=False):
    """Of a disk with two paths both; where nothing may be written, one: each writes for itself."""
    found = []
    for index, (disk, path) in enumerate(zip(machine.drives, paths)):
        attach, names = disk.attach, (f"disk{index}",)
        if attach == "two-paths":
            attach, names = "path", (f"disk{index}", f"disk{index}-again")[:1 if read_only else 2]
        found += [qemu.Drive(path, attach, read_only, name=name) for name in names]
    return found


def tools(machine, kernel):
    """Files that a guest needs for the disks of the machine, beside its own."""
    return storage_tools.files(kernel, machine.layers)


def bring_up(layers):
    """Shell that lets the kernel find the file systems; says before what lies on the devices."""
    modules = " ".join(layer.modules for layer in layers)
    return "\n".join((f"load {modules}", *(part for layer in layers
                                           for part in (layer.start, layer.examine) if part)))


def prepare_script(machine):
    """Makes the file systems and the directories that a machine has before it crashes."""
    lines = [f"load {' '.join(layer.modules for layer in machine.layers)}"]
    lines += [layer.make for layer in machine.layers]
    for disk in machine.disks:
        lines += ["mkdir -p /mnt", f"mount -t {disk.kind} {disk.device} /mnt || fail mount"]
        top = "/mnt"
        if disk.subvolume:
            top += f"/{disk.subvolume}"
            lines.append(f"btrfs subvolume create {top} || fail subvolume")
        if disk.mount_point == "/":
            lines.append(f"mkdir -p {top}/var/crash {top}/etc")
        lines.append("umount /mnt")
    lines += [layer.stop for layer in reversed(machine.layers)]
    return "\n".join(line for line in lines if line)


def prepared(machine, kernel=None):
    """Paths of the pristine disks of a machine, one for each; made when they are missing."""
    folder = BOOT / "disks" / machine.name
    paths = [folder / f"disk{index}.img" for index in range(len(machine.drives))]
    if folder.is_dir():
        return paths
    scratch = folder.with_suffix(f".{os.getpid()}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    made = [scratch / path.name for path in paths]
    for drive, path in zip(machine.drives, made):
        with open(path, "wb") as file:
            file.truncate(drive.megabytes << 20)
        if drive.partition:
            subprocess.run(["sgdisk", "-n", "1:2048:0", "-t", "1:8300", path], check=True,
                           stdout=subprocess.DEVNULL)
    kernel = kernel or kernels.unpacked(machine.kernel)
    guest.do(kernel, prepare_script(machine), scratch / "console.log",
             files=tools(machine, kernel), drives=drives(machine, made))
    scratch.rename(folder)
    return paths


def copy(paths, folder):
    """Sparse copies of the disks for one run."""
    for path in paths:
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", path, folder], check=True)
    return [folder / path.name for path in paths]


def read_back(kernel, machine, paths, destination, log, undo=""):
    """Copies the dump directory of the machine to the host directory `destination`.

    Returns what the guest said, which includes the disks' audit."""
    disk = machine.target
    layers = layers_of(disk)
    script = "\n".join((
        # A case may have taken a snapshot.
        "load dm_snapshot" if machine.has_volumes else "",
        f"load {' '.join(layer.modules for layer in layers)}{undo}" if undo else "", bring_up(layers),
        *(layer.audit for layer in layers), "mkdir -p /mnt",
        f"mount -t {disk.kind} -o ro,{disk.options} {disk.device} /mnt || fail mount",
        f"hand_over /mnt/{machine.dump_folder}", "df -k /mnt", "umount /mnt", disk.check))
    return guest.fetch(kernel, script, log, destination, files=tools(machine, kernel),
                       drives=drives(machine, paths, read_only=True)).text
