# SPDX-License-Identifier: GPL-2.0-or-later
"""The builders that are compared, and what one build costs."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import debian_root
import kernels
from machine import KERNEL, OUT

VERSION = kernels.unpacked(KERNEL).version if kernels.unpacked(KERNEL) else ""
# As rhkdump's mkdumprd calls it, with the compressor of the others.
DRACUT = ("--hostonly", "--hostonly-cmdline", "--hostonly-i18n", "--hostonly-mode", "strict",
          "--hostonly-nics", "", "--aggressive-strip", "--omit", "plymouth resume ifcfg earlykdump",
          "--zstd", "--quiet", "--force", "--kver", VERSION)
# kdump-tools calls mkinitramfs with a changed copy of its configuration in this folder.
CONFIGURATION = "/var/lib/kdump/initramfs-tools"


def newest(build):
    """The kdump-mkinitrd below `build` that was built last."""
    found = sorted(build.glob("*/bin/kdump-mkinitrd"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit("no builder below build/; ./check unit makes one")
    return found[-1]


@dataclass(frozen=True)
class Builder:
    name: str
    command: tuple
    image: pathlib.Path  # what the command writes
    quick: int           # timed runs of --quick; 0: left out, it takes too long
    full: int            # timed runs otherwise
    ours: bool = False


def all_builders(root, program):
    """Prepares their configurations in the entered `root`; `program` is our builder."""
    for modules in ("dep", "most"):
        folder = root / f"{CONFIGURATION[1:]}{'' if modules == 'dep' else '-' + modules}"
        shutil.copytree(root / "etc/initramfs-tools", folder)
        (folder / "conf.d/zzz-kdump").write_text(f"MODULES={modules}\n")
        with open(folder / "initramfs.conf", "a", encoding="utf-8") as file:
            file.write("KDUMP=y\n")

    inside = ("chroot", root)
    mkinitramfs = (*inside, "mkinitramfs", "-d")
    folder = root / "run"

    def our_image(name, *options):
        image = root / f"run/{name.replace(' ', '-')}.img"
        return Builder(f"kdump-mkinitrd, {name}",
                       (program, "--sysroot", root, "--force", *options, "--output", image,
                        VERSION), image, 5, 15, ours=True)

    return (
        our_image("packed", "--variant", "packed"),
        our_image("whole", "--variant", "whole"),
        Builder("mkinitramfs MODULES=dep",
                (*mkinitramfs, CONFIGURATION, "-o", "/run/dep.img", VERSION),
                folder / "dep.img", 2, 3),
        Builder("mkinitramfs MODULES=most",
                (*mkinitramfs, f"{CONFIGURATION}-most", "-o", "/run/most.img", VERSION),
                folder / "most.img", 0, 1),
        Builder("dracut --hostonly", (*inside, "dracut", *DRACUT, "/run/dracut.img", VERSION),
                folder / "dracut.img", 0, 2),
    )


def build_report(command):
    done = subprocess.run([*map(str, command), "--json"], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise SystemExit(f"the builder ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def environment():
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def hyperfine(command, runs):
    export = OUT / "hyperfine.json"
    arguments = ["--style", "none", "--warmup", str(int(runs > 2)), "--runs", str(runs),
                 "--shell", "none", "--export-json", export,
                 " ".join(quoted(word) for word in command)]
    done = subprocess.run(["hyperfine", *arguments], env=environment(), capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command} failed:\n{done.stdout}{done.stderr}")
    return json.loads(export.read_text())["results"][0]


def timed(builder, quick):
    """Seconds: median, fastest, and CPU time (mean); for ours also to tell that it is fresh."""
    runs = builder.quick if quick else builder.full
    built = hyperfine(builder.command, runs)
    result = {"seconds": built["median"], "fastest_seconds": built["min"],
              "cpu_seconds": built["user"] + built["system"]}
    if builder.ours:
        check = [word for word in builder.command if word != "--force"] + ["--check"]
        result["check_seconds"] = hyperfine(check, 4 * runs)["median"]
    return result


def quoted(word):
    return f"'{word}'"  # hyperfine splits the command as a shell does


def traced(builder):
    """Processes and programs that a build starts, and the memory of its largest process."""
    log = OUT / "processes.trace"
    with subprocess.Popen(
            ["strace", "-D", "-f", "-qqq", "--seccomp-bpf", "-e",
             "trace=clone,clone3,fork,vfork,execve", "-e", "signal=none", "-o", log,
             *map(str, builder.command)],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        # -D: strace is no ancestor of the builder, whose usage is therefore its own.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{builder.name} under strace ended with {process.returncode}")
    lines = settled(log)
    forks = [line for line in lines if re.search(r"\b(clone3?|v?fork)(\(| resumed)", line)
             and re.search(r"= [1-9]\d*$", line) and "CLONE_THREAD" not in line]
    programs = [line for line in lines if "execve" in line and line.endswith("= 0")]
    # The first program is strace's own exec of the builder.
    return {"peak_kib": usage.ru_maxrss, "processes": len(forks),
            "programs": len(programs) - 1}


def settled(path):
    """Lines of a file that somebody else is about to finish."""
    text = None
    while text != (text := path.read_text(errors="replace")):
        time.sleep(0.2)
    return text.splitlines()


def unpacked_bytes(builder):
    """Bytes of all files; those of ours are inside of its packed ones."""
    if builder.ours:
        return build_report(builder.command)["unpacked_bytes"]
    return bytes_in(builder.image)


def bytes_in(image):
    """Bytes of all files of a peer's image."""
    folder = OUT / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    debian_root.run("unmkinitramfs", image, folder)
    files = {(s.st_dev, s.st_ino): s.st_size
             for s in (path.lstat() for path in folder.rglob("*") if path.is_file()
                       and not path.is_symlink())}
    shutil.rmtree(folder)
    return sum(files.values())


def measure(builder, quick):
    print(f"building with {builder.name}", flush=True)
    result = {"name": builder.name, **timed(builder, quick), **traced(builder),
              "image_bytes": builder.image.stat().st_size,
              "unpacked_bytes": unpacked_bytes(builder)}
    if builder.ours:
        report = build_report(builder.command)
        result["predicted_crashkernel"] = report["fit"]["needed_bytes"] >> 20
        (OUT / "tuned.txt").write_text(report["command_line"])
    scratch = OUT / f"{builder.image.name}.tmp"  # a panic may be reading the last one
    shutil.copyfile(builder.image, scratch)
    scratch.rename(OUT / builder.image.name)
    return result
