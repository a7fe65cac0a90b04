# SPDX-License-Identifier: GPL-2.0-or-later
"""Crashes a machine whose kdump image is the one under test, and fetches what was saved."""

import pathlib
import shutil
from dataclasses import dataclass

import disks
import guest
import kernels
import qemu
import volume_key
from layers import layers_of

PANIC = "sysrq: Trigger a crash"
# What has to be in the dump, see debugger.py. Nothing is started for it. The thread with which ext4
# reads block bitmaps ahead may end before the panic.
INVENTORY = """
for task in /proc/[0-9]*; do
  read -r name < $task/comm && [ "$name" != ext4lazyinit ] && echo "guest: task <$name>"
done
while read -r name rest; do echo "guest: module <$name>"; done < /proc/modules
"""


def script(disks_there, load, prepare):
    """The life of the machine up to its panic: file systems are mounted and in use."""
    layers = layers_of(*disks_there)
    lines = [disks.bring_up(layers)]
    for index, disk in enumerate(disks_there):
        lines += [f"target=/mnt{index}", "mkdir -p $target",
                  f"mount -t {disk.kind} -o {disk.options} {disk.device} $target || fail mount"]
    lines += [prepare, *(layer.audit for layer in layers), "sync"]
    # Its journal is not clean when the kernel panics. FAT has none: a write that is half done then is a
    # lost cluster, which fsck finds whatever the capture does.
    if disks_there and disks_there[-1].kind != "vfat":
        lines.append("echo busy > $target/kept-busy")
    lines += [INVENTORY, load, "echo guest: panics now", "echo c > /proc/sysrq-trigger"]
    return "\n".join(lines)


class NoPanic(Exception):
    """The machine did not come as far as its panic: kexec refused the image, or the rig failed."""


@dataclass
class Crash:
    console: qemu.Console
    saved: pathlib.Path  # copy of the dump directory
    paths: list          # the disks as they were left
    afterwards: str      # what the guest said that read them

    def seconds(self, text):
        """From the panic to the first line that holds `text`; None when it was never printed."""
        panic, line = self.console.when(PANIC), self.console.when(text)
        return None if panic is None or line is None else line - panic


def crash(machine, image, command_line, crashkernel, folder, *, prepare="", undo="",
          without_target=False, destroyed=False, decoys=(), kernel=None, capture_kernel=None,
          memory=1024, timeout=400, kdump_config=None, load="", programs=(), files=None, **rig):
    """Runs one crash in `folder`, which holds console.log, the disks and saved/ afterwards.

    `prepare` is shell that runs before the panic; $target is the mounted target, which stays
    readable unless `destroyed`; `undo` runs before it is read. `decoys` are drives that were not
    there when the machine was recorded, `capture_kernel` may be another than the one that crashes,
    `memory` is in MiB. `kdump_config`: the program that loads the kernel, with the key of an
    encrypted target; else it is kexec; `load`: shell in the place of either. `programs` of this host and `files` are there beside the rig's own. `rig` goes to
    qemu.run().
    """
    kernel = kernel or kernels.unpacked(machine.kernel)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths = disks.copy(disks.prepared(machine, kernel), folder)
    there = len(machine.disks) - without_target  # the target is the last
    drives = disks.drives(machine, paths[:len(paths) - without_target])
    kexec = f"kexec -p --initrd=/kdump.img --command-line='{command_line}' /vmlinuz || fail kexec -p"
    load = load or (volume_key.load(command_line, machine.dump_folder) if kdump_config else kexec)
    console = guest.run(
        kernel, script(machine.disks[:there], load, prepare), folder / "console.log",
        files={"vmlinuz": (capture_kernel or kernel).image, "kdump.img": image}
        | disks.tools(machine, kernel) | (files or {}),
        command_line=f"crashkernel={crashkernel}", drives=[*decoys, *drives], memory=memory,
        programs=[*programs, *([kdump_config] if kdump_config else [])], timeout=timeout, **rig)
    saved = folder / "saved"
    if console.when(PANIC) is None:
        raise NoPanic(f"the machine never panicked, see {console.log}:\n{console.tail()}")
    afterwards = ""
    if not (without_target or destroyed):
        afterwards = disks.read_back(kernel, machine, paths, saved, folder / "read-back.log",
                                      undo)
    return Crash(console, saved, paths, afterwards)
