#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds --calibrate to panics: calibrate_test.py BUILDER.

What the model predicts of a calibrated kernel has to save a dump, and not much less may. A kernel of
the same name with other bytes is not believed to be the same.
"""

import json
import shutil
import subprocess
import sys

import crash
import judge
import kernels
from image import build
from machines import MACHINES
from paths import BOOT, MACHINES as RECORDED

MACHINE = MACHINES["qemu-virtio-ext4"]
# MiB, all of Linux 6.1, tuned: packed saves with 70M to 72M. The margin, what is rounded up, and
# what chance makes of a bisection.
MOST_ABOVE = 4
FLOOR = (60, 68)  # without the memory map


def calibrate(builder, folder, kernel):
    settings = folder / "kdump-tools.conf"  # never this machine's own
    settings.write_text("")
    run = subprocess.run(
        [builder, "--facts", RECORDED / f"{MACHINE.name}.json", "--kernel-root", kernel.root,
         "--config", settings, "--output", folder / "initrd.img", "--calibrate", "-v",
         kernel.version], capture_output=True, text=True, check=False)
    print(run.stdout + run.stderr)
    return run.returncode, run.stdout


def saves(image, folder, megabytes):
    try:
        result = crash.crash(MACHINE, image.path, image.command_line, f"{megabytes}M",
                             folder / f"{megabytes}M")
    except crash.NoPanic:
        return False
    problems = judge.saved(result)
    for path in result.paths:
        path.unlink()
    print(f"{megabytes}M: {problems or 'saved'}")
    return not problems


def source(image):
    return image.report["fit"]["peaks"][1]["terms"][0]["source"]


def problems(builder):
    folder = BOOT / "calibrate"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kernel = kernels.unpacked(MACHINE.kernel)
    code, said = calibrate(builder, folder, kernel)
    if code != 0:
        yield f"--calibrate ended with {code}"
        return
    path = folder / f"calibrated-{kernel.version}.json"
    kept = json.loads(path.read_text())
    mib = {name: kept[f"{name}_bytes"] / 2**20 for name in ("unpacking", "starting", "capturing")}
    if not FLOOR[0] <= mib["unpacking"] <= mib["starting"] <= FLOOR[1] or f"{path}" not in said:
        yield f"found {mib}"
    packed = build(MACHINE, builder, folder, "--variant", "packed")
    if "calibrated in QEMU" not in source(packed):
        yield f"the model goes by: {source(packed)}"
    if not saves(packed, folder, packed.needed):
        yield f"{packed.needed}M was predicted and does not save"
    if saves(packed, folder, packed.needed - MOST_ABOVE):
        yield f"{packed.needed}M was predicted, and {packed.needed - MOST_ABOVE}M saves as well"
    path.write_text(json.dumps(kept | {"kernel_digest": "0" * 32}))
    if "calibrated" in source(build(MACHINE, builder, folder, "--variant", "packed")):
        yield "a calibration of another kernel is believed"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    found = list(problems(sys.argv[1]))
    print("\n".join(f"FAILED: {problem}" for problem in found))
    sys.exit(1 if found else 0)
