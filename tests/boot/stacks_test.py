#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Without a crash, what the crash tests stand on: stacks_test.py [MACHINE]...

The storage of a machine can be made, found again in another boot, and its own tools find nothing
wrong with it.
"""

import sys

import disks
import judge
import kernels
from machines import MACHINES, STACKS
from paths import BOOT
from stacks import Array


def problems(machine):
    folder = BOOT / "stacks" / machine.name
    folder.mkdir(parents=True, exist_ok=True)
    said = disks.read_back(kernels.unpacked(machine.kernel), machine, disks.prepared(machine),
                           folder / "saved", folder / "read-back.log")
    arrays = any(isinstance(layer, Array) for layer in machine.layers)
    return judge.audited(machine, said) + (judge.members_alike(said) if arrays else [])


if __name__ == "__main__":
    failed = [f"FAILED: {name}: {problem}" for name in sys.argv[1:] or [m.name for m in STACKS]
              for problem in problems(MACHINES[name])]
    print("\n".join(failed) or "nothing is wrong")
    sys.exit(1 if failed else 0)
