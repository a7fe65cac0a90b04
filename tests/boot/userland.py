# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 13's makedumpfile and its libraries, as a sysroot for the builder."""

import hashlib
import shutil
import subprocess

import kernels
from paths import BUILD

SUITE = "trixie"
PACKAGES = ("makedumpfile", "libc6", "libdw1t64", "libelf1t64", "liblzo2-2", "libzstd1", "zlib1g",
            "libbz2-1.0", "liblzma5")
DIGEST = hashlib.sha256(repr(PACKAGES).encode()).hexdigest()[:12]
ROOT = BUILD / f"makedumpfile-{SUITE}-{DIGEST}"


def download():
    """Unpacks the packages below ROOT unless they are there."""
    if ROOT.is_dir():
        return
    scratch = ROOT.with_name(f"{ROOT.name}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    root = scratch / "root"
    root.mkdir(parents=True)
    for folder in ("bin", "lib", "lib64", "sbin"):
        (root / folder).symlink_to(f"usr/{folder}")
    kernels.apt(SUITE, "apt-get", "-q", "update")
    kernels.apt(SUITE, "apt-get", "-q", "download", *PACKAGES, cwd=scratch)
    for package in scratch.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    root.rename(ROOT)
    shutil.rmtree(scratch)


def sysroot(_folder):
    return ROOT
