# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the project, for the checks beside this file."""

import os
import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CODE = (".cc", ".h", ".c")


def files():
    """Every file but what git and builds make; paths are relative to the top."""
    for folder, folders, names in os.walk(SOURCE):
        folders[:] = sorted(set(folders) - {"build", ".git", "__pycache__", "obj-x86_64-linux-gnu"})
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if not path.is_symlink():
                yield path.relative_to(SOURCE)


def code():
    return [path for path in files() if path.suffix in CODE]


def interpreter(path):
    """The first line of a script without #!, empty for everything else."""
    with open(SOURCE / path, "rb") as file:
        line = file.readline(80)
    return line[2:].decode(errors="replace").strip() if line.startswith(b"#!") else ""


def finish(problems, what):
    """Ends the check: prints every problem as PLACE: REASON."""
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in {what}")
    sys.exit(1 if problems else 0)
