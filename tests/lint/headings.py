#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file of code names its licence at the top and is short enough to be read at once."""

import tree

MAX_LINES = 500
LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later"
# Small scripts by name: they have no suffix.
NAMED = {"CMakeLists.txt", "check", "quickstart", "run"}


def is_code(path):
    return (path.suffix in (*tree.CODE, ".py", ".sh", ".cmake") or path.name in NAMED
            or tree.interpreter(path))


problems, count = [], 0
for path in filter(is_code, tree.files()):
    count += 1
    lines = (tree.SOURCE / path).read_text(encoding="utf-8").splitlines()
    if not any(LICENCE in line for line in lines[:2]):
        problems.append(f"{path}:1: no {LICENCE}")
    if len(lines) >= MAX_LINES:
        problems.append(f"{path}: {len(lines)} lines, split it below {MAX_LINES}")
tree.finish(problems, f"{count} files")
