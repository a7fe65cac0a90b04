#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one crash test: run_case.py BUILDER CASE. Results are in build/boot/cases/CASE/.

run_case.py --setup PART fetches what the cases of ./check PART share, so that they can run at the
same time; PART is boot, or full for the rest of the matrix. run_case.py --list PART names them.
"""

import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

import crash
import debugger
import disks
import guest
import judge
import kernels
import qemu
import silent_disk
import userland
from cases import CASES, PREDICTED
from layers import layers_of
from machines import MACHINES, Machine
from paths import BOOT
from image import build


def setup(part):
    cases = of_part(part)
    names = sorted({case.kernel_name for case in cases})
    for name in sorted({*names, *(case.capture_kernel_name for case in cases)}):
        kernels.get(name)
    machines = {case.machine: MACHINES[case.machine] for case in cases}.values()
    jobs = [lambda name=name: debugger.vmlinux(name) for name in names]  # the longest first
    jobs += [debugger.drgn, userland.download]
    jobs += [lambda name=name: guest.base_segment(kernels.unpacked(name)) for name in names]
    jobs += [lambda machine=machine: disks.prepared(machine) for machine in machines]
    jobs += [lambda case=case: decoy_drives(case) for case in cases]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda job: job(), jobs):
            pass


def of_part(part):
    return [case for case in CASES.values() if case.part == part]


def decoy_drives(case):
    if not case.decoy:
        return []
    disk = case.decoy.on
    (path,) = disks.prepared(Machine(f"decoy-{case.name}", (case.decoy,)))
    return [qemu.Drive(path, disk.attach, read_only=True)]


def clone_drives(case):
    if not case.clone:
        return []
    machine = MACHINES[case.machine]
    target = layers_of(machine.target)
    path = next(path for drive, path in zip(machine.drives, disks.prepared(machine))
                if drive in target)
    return [qemu.Drive(path, case.clone, read_only=True, name="clone", absent=True)]


def stayed(report):
    """Libraries of makedumpfile that a stand-in should have replaced: no case asks for them."""
    uncalled = re.compile(r"lib/(libdw|libelf|liblzo2|libzstd)\.so")
    return [f"{entry['path']} is the real one" for entry in report["entries"]
            if uncalled.match(entry["path"]) and not entry["reason"].startswith("stands in")]


def unreadable(result, case, builder):
    """What a debugger cannot read of the saved dumps, of which some cases have none."""
    problems = []
    symbols = debugger.vmlinux(case.kernel_name)
    for dump in result.saved.rglob("dump.2*"):
        if symbols:
            problems += debugger.problems(dump, symbols, result.console.text,
                                          judge.verified_counts(builder, dump))
        else:
            print(f"{dump.name} was not read by a debugger: no vmlinux for {case.kernel_name}")
    return problems


def run(case, builder):
    machine = MACHINES[case.machine]
    folder = BOOT / "cases" / case.name
    images = BOOT / "images" / case.name
    predicted = case.crashkernel == PREDICTED
    fit = ("--variant", "packed") if predicted else ("--crashkernel", case.crashkernel)
    kernel = kernels.unpacked(case.kernel_name)
    capture_kernel = kernels.unpacked(case.capture_kernel_name)
    fit = (*fit, "--crashed-kernel", kernel.version)
    image = build(machine, builder, images, *fit, config=case.config, kernel=capture_kernel,
                  sysroot=case.sysroot and case.sysroot(images / "sysroot"),
                  facts_too=case.facts_too)
    crashkernel = f"{image.needed}M" if predicted else case.crashkernel
    with tempfile.TemporaryDirectory() as sockets:
        disk = silent_disk.SilentDisk(f"{sockets}/disk") if case.silent_disk else None
        result = crash.crash(
            machine, image.path, image.command_line, crashkernel, folder, prepare=case.prepare,
            undo=case.undo, changes=case.changes, without_target=case.without_target,
            destroyed=case.destroyed, devices=case.devices, programs=case.programs,
            decoys=[disk.drive] if disk else decoy_drives(case) + clone_drives(case),
            kdump_config=case.keyed and pathlib.Path(builder).with_name("kdump-config"),
            when_said=disk.when_said if disk else (), unread_from=case.unread_from, kernel=kernel,
            capture_kernel=capture_kernel)
    problems = (case.judge(result) + judge.verified(result, builder) + stayed(image.report)
                + unreadable(result, case, builder))
    if result.afterwards:
        problems += judge.audited(machine, result.afterwards)
    for path in result.paths:
        path.unlink()
    seconds = result.seconds("end: reboot") or 0
    print(f"{case.name}: Linux {capture_kernel.version}, crashkernel={crashkernel}, "
          f"{image.report['variant']} image of "
          f"{image.report['image_bytes']} B, panic to restart {seconds:.1f} s")
    if problems:
        print("\n".join(f"FAILED: {problem}" for problem in problems))
        print(f"console: {result.console.log}\n{result.console.tail(60)}")
    return not problems


if __name__ == "__main__":
    if sys.argv[1:2] == ["--setup"]:
        setup(sys.argv[2])
    elif sys.argv[1:2] == ["--list"]:
        print(*(case.name for case in of_part(sys.argv[2])))
    elif len(sys.argv) == 3 and sys.argv[2] in CASES:
        try:
            sys.exit(0 if run(CASES[sys.argv[2]], sys.argv[1]) else 1)
        except crash.NoPanic as error:
            raise SystemExit(str(error)) from error
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{error}: {error.stderr}") from error
    else:
        raise SystemExit(f"{__doc__}\ncases: {' '.join(CASES)}")
