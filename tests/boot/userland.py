# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 13's makedumpfile and its libraries, as a sysroot for the builder."""

import shutil

import packages

PACKAGES = ("makedumpfile", "libc6", "libdw1t64", "libelf1t64", "liblzo2-2", "libzstd1", "zlib1g",
            "libbz2-1.0", "liblzma5")


def download():
    """The root that the packages are unpacked in."""
    return packages.unpacked("makedumpfile", "trixie", PACKAGES)


def sysroot(folder):
    """A copy of it in `folder`, for a case to put its configuration into."""
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(download(), folder, symlinks=True)
