# SPDX-License-Identifier: GPL-2.0-or-later
"""Sysroots whose makedumpfile does something before it starts: hog.c, slow.c."""

import pathlib
import shutil
import subprocess

import guest


def sysroot(folder):
    return with_library(folder, "hog")


def slow(folder):
    return with_library(folder, "slow")


def with_library(folder, name):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "bin").symlink_to("usr/bin")
    makedumpfile = folder / "usr/bin/makedumpfile"
    shutil.copy(shutil.which("makedumpfile"), makedumpfile)
    for library in guest.libraries(makedumpfile):
        target = folder / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    library = next(folder.glob("lib/*-linux-gnu")) / f"lib{name}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O0", "-o", library,
                    pathlib.Path(__file__).with_name(f"{name}.c")], check=True)
    subprocess.run(["patchelf", "--add-needed", library.name, makedumpfile], check=True)
    return folder
