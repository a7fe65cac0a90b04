# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads dumps with drgn of Debian 13 and the kernel's debug package, see read_dump.py.

Debian 12's crash shows two tasks of a new 6.1, and its drgn does not know newer kernels.
"""

import hashlib
import json
import os
import re
import subprocess

import kernels
import packages
from paths import SOURCE

SUITE = "trixie"
DRGN = ("python3-drgn", "libkdumpfile10", "libdw1t64", "libelf1t64", "libgomp1", "libc6", "zlib1g",
        "libbz2-1.0", "liblzma5", "libzstd1", "liblzo2-2", "libsnappy1v5", "libstdc++6", "libgcc-s1")
PYTHON = ("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib", "libexpat1",
          "libffi8")
SCRIPT = SOURCE / "tests/boot/read_dump.py"
# What drgn does not need of half a gigabyte. Without .orc_* it unwinds by .debug_frame: drgn 0.0.31
# calls the ORC format of Linux 7.3 "unrecognized .orc_header".
SECTIONS = (".orc_*", ".rela*", ".debug_loclists", ".debug_aranges", ".debug_line", ".debug_line_str")


def fill_vmlinux(suite, package, path, folder):
    print(f"downloading {package} from {suite}", flush=True)
    (archive,) = packages.download(suite, [package], folder)
    whole = folder / "whole"
    with open(whole, "wb") as file, subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL) as tar:  # it complains that nobody reads on
        # The rest of the 7 GB are the modules' symbols.
        subprocess.run(["tar", "-x", "--occurrence=1", "--to-stdout", f"./{path}"], check=True,
                       stdin=tar.stdout, stdout=file)
    archive.unlink()
    subprocess.run(["objcopy", *(f"--remove-section={name}" for name in SECTIONS), whole,
                    folder / "vmlinux"], check=True)
    whole.unlink()


def vmlinux(name):
    """vmlinux with the debug information of the kernel KERNELS/name; None for somebody's own one."""
    if name not in kernels.NEWEST:
        return None
    kernel, suite = kernels.unpacked(name), kernels.NEWEST[name][0]
    package = f"linux-image-{kernel.version}-dbg"
    # The packages of 7.2 and later keep both beside the modules.
    path = (f"usr/lib/debug/boot/vmlinux-{kernel.version}" if "boot" in kernel.image.parts else
            f"usr/lib/debug/lib/modules/{kernel.version}/vmlinux")
    stripped = hashlib.sha256(repr(SECTIONS).encode()).hexdigest()[:12]
    place = packages.kept(f"vmlinux/{name}", f"{packages.version(suite, package)}-{stripped}",
                          lambda folder: fill_vmlinux(suite, package, path, folder))
    return place / "vmlinux"


def drgn():
    return packages.unpacked("drgn", SUITE, (*DRGN, *PYTHON))


def read(dump, symbols):
    """What read_dump.py reports."""
    root = drgn()
    environment = {**os.environ, "PYTHONHOME": root / "usr",
                   "PYTHONPATH": root / "usr/lib/python3/dist-packages"}
    run = subprocess.run([*packages.program(root, "usr/bin/python3.13"), "-B", SCRIPT, symbols, dump],
                         env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return {"problems": [f"drgn cannot read it: {run.stderr.strip()}"]}
    return json.loads(run.stdout)


def expected(console, kind):
    """What the guest said of itself before its panic; other lines may have come between."""
    return set(re.findall(rf"guest: {kind} <([^<>\[\n]+)>", console))


def missing(report, console):
    """What the guest had and the dump does not."""
    tasks, modules = expected(console, "task"), expected(console, "module")
    # The kernel starts, ends and renames its workers all the time.
    # /proc has the full name of a kernel thread, task_struct what fits TASK_COMM_LEN.
    tasks = {task[:15] for task in tasks if not task.startswith("kworker/")}
    if "init" not in tasks or not modules:
        yield "the guest did not say which tasks and modules it had"
    if lost := tasks - set(report["tasks"]):
        yield f"tasks that drgn does not find: {' '.join(sorted(lost))}"
    if lost := modules - set(report["modules"]):
        yield f"modules that drgn does not find: {' '.join(sorted(lost))}"
    for cache, count in report["objects"].items():
        if count == 0:
            yield f"drgn finds no object of {cache}"


def miscounted(report, counts):
    """Where kdump-verify has read another number of tasks or modules than drgn."""
    # The idle task is on the list of tasks, and has no pid by which drgn would find it.
    for kind, more in (("tasks", 1), ("modules", 0)):
        if counts[kind] != len(report[kind]) + more:
            yield f"kdump-verify reads {counts[kind]} {kind}, drgn {len(report[kind])}"


def problems(dump, symbols, console, counts=None):
    """Why the dump is worth nothing to somebody who debugs the crash; `counts` of kdump-verify."""
    report = read(dump, symbols)
    found = report["problems"] or [*missing(report, console),
                                   *(miscounted(report, counts) if counts else ())]
    return [f"{dump.name}: {problem}" for problem in found]
