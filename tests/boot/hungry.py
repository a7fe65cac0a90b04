# SPDX-License-Identifier: GPL-2.0-or-later
"""A sysroot whose makedumpfile runs out of memory on its first try, see hog.c."""

import pathlib
import shutil
import subprocess

import guest


def sysroot(folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "bin").symlink_to("usr/bin")
    makedumpfile = folder / "usr/bin/makedumpfile"
    shutil.copy(shutil.which("makedumpfile"), makedumpfile)
    for library in guest.libraries(makedumpfile):
        target = folder / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    hog = next(folder.glob("lib/*-linux-gnu")) / "libhog.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O0", "-o", hog,
                    pathlib.Path(__file__).with_name("hog.c")], check=True)
    subprocess.run(["patchelf", "--add-needed", "libhog.so", makedumpfile], check=True)
    return folder
