# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are. Everything the rig makes lands below BUILD."""

import os
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KD_BUILD", SOURCE / "build")).resolve()
BOOT = BUILD / "boot"  # disks, guest images, results of cases
MACHINES = SOURCE / "tests" / "machines"
