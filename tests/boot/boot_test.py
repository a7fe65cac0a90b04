#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds --boot-test to what the crash tests know: boot_test.py BUILDER.

It has to pass where an image saves its dump, and to fail in a reservation that is too small. What it
cannot imitate of a machine it names.
"""

import json
import subprocess
import sys

import kernels
from machines import MACHINES
from paths import BOOT, MACHINES as RECORDED

EXIT_FAILED = 6
PLAIN = MACHINES["qemu-virtio-ext4"]
LAYERED = MACHINES["qemu-lvm-md-raid1"]


def boot_test(builder, megabytes, machine=PLAIN):
    """Exit code, output, and the kept result."""
    kernel = kernels.unpacked(machine.kernel)
    folder = BOOT / "boot-test" / f"{machine.name}-{megabytes}M"
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "initrd.img"
    kept = folder / "initrd.img.boot-test.json"
    kept.unlink(missing_ok=True)
    settings = folder / "kdump-tools.conf"  # never this machine's own
    settings.touch()
    run = subprocess.run(
        [builder, "--facts", RECORDED / f"{machine.name}.json", "--kernel-root", kernel.root,
         "--config", settings, "--output", image, "--variant", "packed", "--force",
         "--crashkernel", f"{megabytes}M", "--boot-test", kernel.version],
        capture_output=True, text=True, check=False)
    print(run.stdout + run.stderr)
    return run.returncode, run.stdout, json.loads(kept.read_text())


def problems(builder):
    code, said, kept = boot_test(builder, 96)
    if code != 0 or "crashkernel=96M" not in said or not kept["passed"]:
        yield f"96M: ended with {code}, passed: {kept['passed']}"
    elif not 60 << 20 < kept["peak_bytes"] < 96 << 20:
        yield f"96M: a peak of {kept['peak_bytes']} bytes"
    code, said, kept = boot_test(builder, 66)
    if code != EXIT_FAILED or "FAIL" not in said or kept["passed"] or not kept["problem"]:
        yield f"66M: ended with {code}, problem: {kept['problem']}"
    code, said, kept = boot_test(builder, 96, LAYERED)
    if code != 0 or "left out: LVM, raid1" not in said or not kept["passed"]:
        yield f"layers: ended with {code}, problem: {kept['problem']}"
    elif kept["left_out"] != ["LVM", "raid1"] or "peak_bytes" in kept:
        yield f"layers: a test without {kept['left_out']} is kept as a measurement"
    elif not 93 << 20 < kept["reservation_bytes"] < 96 << 20:
        yield f"layers: tested in {kept['reservation_bytes']} bytes"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    found = list(problems(sys.argv[1]))
    print("\n".join(f"FAILED: {problem}" for problem in found))
    sys.exit(1 if found else 0)
