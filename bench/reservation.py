# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest crashkernel=, by real panics in steps of 1 MiB."""

import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "boot"))

# pylint: disable=wrong-import-position
import crash
import judge
import kernels
import newc
import volume_key
from bisection import smallest
from cases import STOCK
from image import build
from machines import MACHINES
from paths import BUILD

OUT = BUILD / "bench" / "reservation"
# Where all reservations start, and any of up to 128 MiB ends: in one section of the memory map. The
# kernel's own choice depends on the size of the first initramfs; across a border it is 2 MiB more.
# That kernel must not lie there itself, hence nokaslr.
START_MIB, END_MIB = 768, 896
BUILDER = pathlib.Path(os.environ.get("KD_BUILDER", BUILD / "check/bin/kdump-mkinitrd"))


@dataclass(frozen=True)
class Setup:
    """What an image is built for and crashed on."""

    kernel: str  # below build/kernels/
    file_system: str = "ext4"
    profile: str = "tuned"
    memory: int = 1024  # MiB
    options: tuple = ("--variant", "packed")
    machine_name: str = ""  # in the place of the one with that file system on one disk
    variation: str = ""     # what tells apart setups of one machine
    keyed: bool = False     # its target is encrypted, and kdump-config gives the key to the capture

    @property
    def machine(self):
        return MACHINES[self.machine_name or {
            "ext4": "qemu-virtio-ext4", "xfs": "qemu-ahci-xfs",
            "btrfs": "qemu-nvme-btrfs"}[self.file_system]]

    def __str__(self):
        words = (self.kernel, self.machine_name or self.file_system, self.variation, self.profile,
                 *self.options[1::2], f"{self.memory // 1024} GiB")
        return " ".join(word for word in words if word)

    @property
    def folder(self):
        return OUT / str(self).replace(" ", "-")

    def build(self, builder=BUILDER, facts_too=None):
        config = (STOCK * (self.profile == "stock")) + (volume_key.CONFIG * self.keyed)
        return build(self.machine, builder, self.folder / "image", *self.options,
                     kernel=kernels.unpacked(self.kernel), memory=self.memory, config=config,
                     facts_too={"reservation_end": END_MIB << 20} | (facts_too or {}))


def boots(setup, image, works, megabytes):
    """Whether `works` finds what it wants after a panic in a reservation of that size."""
    try:
        result = crash.crash(setup.machine, image.path, image.command_line,
                             f"{megabytes}M@{START_MIB}M nokaslr",
                             setup.folder / f"{megabytes}M", memory=setup.memory, timeout=150,
                             kernel=kernels.unpacked(setup.kernel),
                             kdump_config=setup.keyed and image.builder.with_name("kdump-config"))
    except crash.NoPanic:  # kexec could not even place the image
        return False
    for path in result.paths:
        path.unlink()
    good = works(result)
    print(f"  {setup}: {megabytes}M {'works' if good else 'fails'}", flush=True)
    return good


def minimum(setup, image, works, guess, step=4, times=1):
    """The smallest size that works so many times, in MiB; working is taken to be monotonic.

    `step`: how far below `guess` it fails, likely.
    """
    found = smallest(lambda size: all(boots(setup, image, works, size) for _ in range(times)),
                     guess - step, guess)
    if found is None:
        raise SystemExit(f"{setup}: fails with any size")
    if found < 32:
        raise SystemExit(f"{setup}: works even with {found}M, where no kernel boots")
    return found


def saves(result):
    return not judge.saved(result)


def restarts(result):
    return "reboot: Restarting system" in judge.after_panic(result)


def noop_image():
    """The path of an image with nothing but that init, not compressed."""
    OUT.mkdir(parents=True, exist_ok=True)
    program = OUT / "noop"
    subprocess.run(["musl-gcc", "-static", "-Os", "-s", "-o", program, HERE / "noop.c"], check=True)
    segment = newc.Segment()
    segment.add("init", program.read_bytes(), 0o755)
    path = OUT / "noop.img"
    path.write_bytes(segment.pack())
    return path
