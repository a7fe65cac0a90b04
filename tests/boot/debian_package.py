#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the package for a suite of Debian: debian_package.py SUITE.

For this machine's own suite here, where lintian judges it as well; for another in a root directory of
that suite, with its compiler and libraries.
"""

import os
import shutil
import subprocess
import sys

import debian_root
from paths import BUILD, SOURCE

SCRIPT = SOURCE / "tests/boot/debian_package.sh"
COMPILED = "/root/ccache"  # stays in the root directory


def build_in(root, suite):
    """Builds in `root`, which other runs may use at the same time."""
    folder = root / f"root/{os.getpid()}"
    try:
        shutil.copytree(SOURCE, folder / "source", symlinks=True,
                        ignore=shutil.ignore_patterns("build", ".git"))
        print(debian_root.chroot_with(
            root, folder, "/mnt/source/tests/boot/debian_package.sh", CCACHE_DIR=COMPILED,
            CCACHE_BASEDIR="/mnt", CCACHE_NOHASHDIR="1", KD_PACKAGE="/mnt/package"))
        target = BUILD / "package" / suite
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for made in (folder / "package").glob("kdump-mkinitrd_*.deb"):
            shutil.copy(made, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    suite = debian_root.suite_of(sys.argv, __doc__)
    if suite == debian_root.own_suite():
        return subprocess.run([SCRIPT], env=os.environ | {"KD_PACKAGE": BUILD / "package" / suite},
                              check=False).returncode
    debian_root.need_root()
    build_in(debian_root.builder(suite), suite)
    return 0


if __name__ == "__main__":
    sys.exit(main())
