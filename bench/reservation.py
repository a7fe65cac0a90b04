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
from bisection import smallest
from cases import STOCK
from image import build
from machines import MACHINES
from paths import BUILD

OUT = BUILD / "bench" / "reservation"
BUILDER = pathlib.Path(os.environ.get("KD_BUILDER", BUILD / "check/bin/kdump-mkinitrd"))


@dataclass(frozen=True)
class Setup:
    """What an image is built for and crashed on."""

    kernel: str  # below build/kernels/
    file_system: str = "ext4"
    profile: str = "tuned"
    memory: int = 1024  # MiB
    options: tuple = ("--variant", "packed")

    @property
    def machine(self):
        return MACHINES[{"ext4": "qemu-virtio-ext4", "xfs": "qemu-ahci-xfs",
                         "btrfs": "qemu-nvme-btrfs"}[self.file_system]]

    def __str__(self):
        layout = " ".join(self.options[1::2])
        return f"{self.kernel} {self.file_system} {self.profile} {layout} {self.memory // 1024} GiB"

    @property
    def folder(self):
        return OUT / str(self).replace(" ", "-")

    def build(self, builder=BUILDER):
        return build(self.machine, builder, self.folder / "image", *self.options,
                     kernel=kernels.unpacked(self.kernel), memory=self.memory,
                     config=STOCK if self.profile == "stock" else "")


def boots(setup, image, works, megabytes):
    """Whether `works` finds what it wants after a panic in a reservation of that size."""
    try:
        result = crash.crash(setup.machine, image.path, image.command_line, f"{megabytes}M",
                             setup.folder / f"{megabytes}M", memory=setup.memory, timeout=150,
                             kernel=kernels.unpacked(setup.kernel))
    except crash.NoPanic:  # kexec could not even place the image
        return False
    for path in result.paths:
        path.unlink()
    good = works(result)
    print(f"  {setup}: {megabytes}M {'works' if good else 'fails'}", flush=True)
    return good


def minimum(setup, image, works, guess):
    """The smallest size that works, in MiB; working is taken to be monotonic."""
    found = smallest(lambda size: boots(setup, image, works, size), guess - 4, guess)
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
