# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes and memory need of the recorded machines' images, held against bench/baseline.json."""

import json
import pathlib

import image
import kernels
from machine import OUT
from machines import MACHINES

PATH = pathlib.Path(__file__).resolve().parent / "baseline.json"
SUPPORTED = [machine for machine in MACHINES.values() if not machine.refused]
VARIANTS = ("whole", "packed")
LIMIT = 1.02
# What a build of the comparison's default image may take at most.
BUDGET = {"image_bytes": 2_200_000, "unpacked_bytes": 7_000_000, "processes": 0,
          "peak_kib": 60 << 10}
UNITS = {"image_bytes": "bytes", "need_kib": "KiB of reservation"}


def current(program):
    """Name of machine and variant -> image_bytes and need_kib, and what they depend on."""
    figures = {}
    for machine in SUPPORTED:
        for variant in VARIANTS:
            built = image.build(machine, program, OUT / "baseline" / machine.name,
                                "--variant", variant)
            # The prediction is in whole MiB, which is too coarse for a limit of 2 %.
            need = max(peak["bytes"] for peak in built.report["fit"]["peaks"])
            figures[f"{machine.name} {variant}"] = {
                "kernel": kernels.unpacked(machine.kernel).version,
                "image_bytes": built.report["image_bytes"], "need_kib": need >> 10}
    return figures


def compare(recorded, now):
    """What has grown by more than LIMIT, and what one of the two does not know."""
    problems = [f"{name}: not in {PATH.name}" for name in now if name not in recorded]
    for name, before in recorded.items():
        if name not in now:
            problems.append(f"{name}: in {PATH.name}, but not built")
            continue
        for key, unit in UNITS.items():
            ratio = now[name][key] / before[key]
            if ratio > LIMIT:
                problems.append(f"{name}: {now[name][key]} {unit}, {(ratio - 1) * 100:.1f} % above "
                                f"the {before[key]} of {before['kernel']}")
    return problems


def over_budget(builder):
    """What of one builder's figures is beyond BUDGET."""
    return [f"{builder['name']}: {key} is {builder[key]}, at most {most} wanted"
            for key, most in BUDGET.items() if builder[key] > most]


def read():
    return json.loads(PATH.read_text())


def record(figures):
    PATH.write_text(json.dumps(figures, indent=1) + "\n")
