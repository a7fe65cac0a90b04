# SPDX-License-Identifier: GPL-2.0-or-later
"""What an image is worth in a panic: the smallest reservation that saves a dump, and how fast.

Every image saves to the disks of its machine, which each run gets unchanged.
"""

import json
import pathlib
from dataclasses import dataclass

import guest
import kernels
import qemu
from bisection import smallest
from machine import COMMAND_LINE, DISK, KERNEL, OUT

SCRIPT = """
kexec -p --initrd=/kdump.img --command-line='{line}' /vmlinuz || fail kexec -p
echo c > /proc/sysrq-trigger
"""
PANIC = "sysrq: Trigger a crash"
# Appended by kdump-tools 1.8.1, and what makes a capture that failed end at once.
STOCK = ("reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb "
         "panic=1 rd.shell=0 rd.emergency=reboot")
ROOMY = 384  # MiB: enough for every image, for the times
TIMEOUT = 480


@dataclass(frozen=True)
class Testbed:
    """The machine that crashes."""

    folder: pathlib.Path  # of its images, with tuned.txt as our builder reports it
    command_line: str     # it boots with
    drives: tuple         # which stay as they are


PLAIN = Testbed(OUT, COMMAND_LINE, (qemu.Drive(DISK, "virtio-blk", read_only=True),))


@dataclass(frozen=True)
class Series:
    builder: str
    image: str
    line: str  # tuned | stock
    low: int   # MiB, likely too small
    high: int  # MiB, likely enough
    step: int = 1  # MiB; low and high are multiples of it


SERIES = (
    Series("kdump-mkinitrd, packed", "packed.img", "tuned", 70, 74),
    Series("kdump-mkinitrd, packed", "packed.img", "stock", 84, 90),
    Series("kdump-mkinitrd, whole", "whole.img", "tuned", 76, 82),
    Series("kdump-mkinitrd, whole", "whole.img", "stock", 88, 96),
    Series("mkinitramfs MODULES=dep", "dep.img", "stock", 112, 120),
    Series("dracut --hostonly", "dracut.img", "stock", 128, 152),
    Series("mkinitramfs MODULES=most", "most.img", "stock", 232, 256),
)


def panic(series, megabytes, testbed=PLAIN):
    """Seconds from the panic to the saved dump, or None."""
    ours = series.builder.startswith("kdump-mkinitrd")
    kernel = kernels.unpacked(KERNEL)
    log = testbed.folder / "panics" / f"{series.image}-{series.line}-{megabytes}M.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    line = ((testbed.folder / "tuned.txt").read_text() if series.line == "tuned"
            else f"{testbed.command_line} {STOCK}")
    console = guest.run(
        kernel, SCRIPT.format(line=line), log,
        files={"vmlinuz": kernel.image, "kdump.img": testbed.folder / series.image},
        command_line=f"crashkernel={megabytes}M", timeout=TIMEOUT,
        drives=testbed.drives)
    start = console.when(PANIC)
    saved = console.when("result: saved" if ours else "saved vmcore in")
    result = None if start is None or saved is None else saved - start
    print(f"  {megabytes}M: {f'saved after {result:.0f} s' if result else 'not saved'}", flush=True)
    return result


def measure(series, testbed=PLAIN):
    """The smallest reservation in MiB and the seconds to a dump, None for what never saved."""
    print(f"panics of {series.builder}, {series.line} command line", flush=True)
    seconds = panic(series, ROOMY, testbed)
    found = seconds and smallest(
        lambda steps: panic(series, steps * series.step, testbed) is not None,
        series.low // series.step, series.high // series.step, 1024 // series.step)
    return {"smallest": found and found * series.step, "seconds": seconds}


def measured(resume, all_series=SERIES, testbed=PLAIN):
    """Series -> figures. They take an hour, so each is kept in a file; `resume` takes those."""
    kept = testbed.folder / "panics.json"
    known = json.loads(kept.read_text()) if resume and kept.exists() else {}
    for series in all_series:
        name = f"{series.builder}, {series.line} command line"
        if name not in known:
            known[name] = measure(series, testbed)
            kept.write_text(json.dumps(known, indent=1) + "\n")
        yield series, known[name]
