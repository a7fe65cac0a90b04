#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a tool of others over the files it is for: tools.py format|shell|spelling."""

import subprocess
import sys

import tree


def command(name):
    if name == "format":
        return ["clang-format-14", "--dry-run", "-Werror", *tree.code()]
    if name == "shell":
        scripts = [path for path in tree.files()
                   if path.suffix == ".sh" or "sh" in tree.interpreter(path).split("/")[-1].split()]
        scripts += [path for path in tree.files() if "bash" in tree.interpreter(path)]
        return ["shellcheck", "-x", *sorted(set(scripts))]
    if name == "spelling":
        skip = ("LICENSE", ".json")
        paths = [path for path in tree.files()
                 if not str(path).endswith(skip) and "corpus" not in path.parts]
        return ["codespell", "--ignore-words", tree.SOURCE / "tests/lint/spelling-ignore", *paths]
    raise SystemExit(__doc__)


sys.exit(subprocess.run(command(sys.argv[1]), cwd=tree.SOURCE, check=False).returncode)
