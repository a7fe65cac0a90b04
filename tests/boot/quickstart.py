# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration of ./quickstart: quickstart.py BUILDER. Leaves everything in build/quickstart/."""

import shutil
import subprocess
import sys

import crash
import disks
import judge
import kernels
import vmcore
from image import build
from machines import MACHINES
from paths import BUILD, SOURCE

MACHINE = "qemu-virtio-ext4"
RESERVATION = "128M"  # the default of kdump-tools in Debian 12


def say(text):
    print(text, flush=True)


def choose_kernel():
    if kernel := kernels.installed():
        say(f"kernel: Linux {kernel.version}, as installed here")
        return kernel
    kernel = kernels.download("bookworm")
    say(f"kernel: Linux {kernel.version}, unpacked in {shown(kernel.root)}")
    return kernel


def shown(path):
    return path.relative_to(SOURCE) if path.is_relative_to(SOURCE) else path


def panic_line(dmesg):
    return next((line for line in dmesg.splitlines() if judge.PANIC in line), None)


def main(builder):
    machine, folder = MACHINES[MACHINE], BUILD / "quickstart"
    kernel = choose_kernel()

    say(f"image: for the recorded machine tests/machines/{MACHINE}.json")
    image = build(machine, builder, folder, "--crashkernel", RESERVATION, kernel=kernel)
    say(f"  {image.report['image_bytes']} bytes packed, {image.report['unpacked_bytes']} unpacked, "
        f"{image.report['seconds']:.2f} s; report in {shown(folder / 'report.json')}")

    say("disk: ext4, made by a guest in QEMU")
    disks.prepared(machine, kernel)

    say(f"crash: 1 GiB machine, crashkernel={RESERVATION}, kexec -p, then echo c >"
        " /proc/sysrq-trigger (half a minute without KVM)")
    result = crash.crash(machine, image.path, image.command_line, RESERVATION, folder / "run",
                         kernel=kernel)
    shutil.copy(result.console.log, folder / "console.log")
    problems = judge.saved(result) + judge.verified(result, builder)
    if problems:
        raise SystemExit("\n".join(["FAILED:", *problems, "last lines of the console:",
                                    result.console.tail()]))

    run, stamp, _ = judge.run_directory(result)
    dump = folder / "vmcore"
    shutil.copy(run / f"dump.{stamp}", dump)
    dmesg = vmcore.dmesg(dump, folder)
    (folder / "dmesg-from-dump").rename(folder / "dmesg")
    say(f"  saved {result.seconds('dump: saved'):.1f} s after the panic")
    say(f"proof: {shown(dump)}, {dump.stat().st_size} bytes; makedumpfile --dump-dmesg reads in it")
    say(f"  {panic_line(dmesg)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        main(sys.argv[1])
    except crash.NoPanic as error:
        raise SystemExit(f"FAILED: {error}") from error
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"FAILED: {error}\n{error.stderr or ''}") from error
