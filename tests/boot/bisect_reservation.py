#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest crashkernel=NM at which an image still saves: bisect_reservation.py BUILDER CASE [LOW HIGH].

LOW and HIGH are MiB; HIGH has to save. Prints every try, and the minimum as its last word.
"""

import sys

import crash
import judge
from cases import CASES
from image import build
from machines import MACHINES
from paths import BOOT


def saves(machine, image, megabytes, folder):
    try:
        result = crash.crash(machine, image.path, image.command_line, f"{megabytes}M", folder,
                             timeout=120)
    except crash.NoPanic:  # kexec could not even place the image
        return False
    for path in result.paths:
        path.unlink()
    return not judge.saved(result)


def minimum(machine, image, low, high, folder):
    """Saving is taken to be monotonic in the reservation; None when `high` does not save."""
    if not saves(machine, image, high, folder):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        good = saves(machine, image, middle, folder)
        print(f"{middle}M {'saves' if good else 'fails'}", flush=True)
        low, high = (low, middle) if good else (middle, high)
    return high


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5) or sys.argv[2] not in CASES:
        raise SystemExit(f"{__doc__}\ncases: {' '.join(CASES)}")
    case = CASES[sys.argv[2]]
    bounds = [int(word) for word in sys.argv[3:]] or [64, 128]
    built = build(MACHINES[case.machine], sys.argv[1], BOOT / "images" / f"{case.name}-bisect")
    found = minimum(MACHINES[case.machine], built, *bounds, BOOT / "bisect" / case.name)
    print(f"{case.name}: minimum {found}M" if found else f"{case.name}: {bounds[1]}M does not save")
    sys.exit(0 if found else 1)
