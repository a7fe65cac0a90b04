# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are. What the rig makes lands below BUILD, what it downloads below CACHE."""

import os
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KD_BUILD", SOURCE / "build")).resolve()
BOOT = BUILD / "boot"  # disks, guest images, results of cases
MACHINES = SOURCE / "tests" / "machines"
# Shared by all clones of a user; .ci/setup.sh keeps the compiler's cache there as well.
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache",
                     "kdump-mkinitrd").resolve()
