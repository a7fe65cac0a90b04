#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""clang-tidy over our sources: tidy.py BUILD_DIRECTORY.

A file that was clean is looked at again only when it, a header of ours that it includes, its
command or .clang-tidy has changed: a full run takes minutes.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import tree

FOLDERS = ("builder", "modsel", "cpio", "hooks")


def dependencies(build):
    """Object file -> its sources and headers below the tree, as the compiler reported them."""
    out = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True,
                         check=True).stdout
    found, current = {}, None
    for line in out.splitlines():
        if line.startswith("    "):
            path = os.path.normpath(build / line.strip())
            if path.startswith(f"{tree.SOURCE}/") and not path.startswith(f"{build}/"):
                current.append(path)
        elif ": #deps" in line:
            current = found.setdefault(line.partition(":")[0], [])
    return found


def fingerprint(entry, headers):
    state = hashlib.sha256((tree.SOURCE / ".clang-tidy").read_bytes())
    state.update(entry["command"].encode())
    for path in sorted({entry["file"], *headers}):
        state.update(path.encode() + pathlib.Path(path).read_bytes())
    return state.hexdigest()


def tidy(build, entry, mark):
    run = subprocess.run(["clang-tidy-14", "--quiet", "-p", build,
                          "--extra-arg=-Wno-unknown-warning-option", entry["file"]],
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return run.stdout + run.stderr
    mark.touch()
    return ""


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    clean = tree.SOURCE / "build" / "tidy"
    clean.mkdir(parents=True, exist_ok=True)
    headers = dependencies(build)
    entries = {entry["file"]: entry
               for entry in json.loads((build / "compile_commands.json").read_text())
               if pathlib.Path(entry["file"]).relative_to(tree.SOURCE).parts[0] in FOLDERS}
    todo = []
    for entry in entries.values():
        mark = clean / fingerprint(entry, headers.get(entry.get("output", ""), []))
        if not mark.exists():
            todo.append((build, entry, mark))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [text for text in pool.map(lambda job: tidy(*job), todo) if text]
    print(f"looked at {len(todo)} of {len(entries)} files")
    tree.finish(problems, f"{len(entries)} files")


main()
