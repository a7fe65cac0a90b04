# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Linux in QEMU that runs one shell script: makes disks, reads them, records, crashes."""

import hashlib
import lzma
import pathlib
import shutil
import subprocess
import tempfile

import newc
import qemu
from paths import BOOT

PROGRAMS = ("kexec", "blkid", "btrfs", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mkfs.vfat", "e2fsck",
            "xfs_repair", "fsck.vfat")
# Everything that some machine of machines.py needs; a kernel may have it built in, or not at all.
MODULES = ("virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "ahci", "nvme", "xhci_pci",
           "usb_storage", "ext4", "xfs", "btrfs", "vfat", "nls_cp437", "nls_ascii",
           "uas", "sdhci_pci", "mmc_block", "ata_piix", "sym53c8xx", "megaraid_sas",
           "vmw_pvscsi",
           "crc32c_intel", "i6300esb")
CANCEL = "/lib/x86_64-linux-gnu/libgcc_s.so.1"  # pthread_cancel(3), of btrfs scrub, opens it by name
RESULTS = "results"  # serial number of the disk that takes files to the host
RESULTS_SIZE = 4 << 30  # sparse

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DM_DISABLE_UDEV=1
mkdir -p /proc /sys /dev /tmp /run /etc
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
fail() { echo "guest: failed: $*"; sync; reboot -f; }
audit() { echo "guest: audit: $*"; "$@" || fail "$*"; echo "guest: end of audit"; }
load() {
  for name; do
    while read -r file; do
      grep -q "^$(echo "${file%.ko}" | tr - _) " /proc/modules || insmod "/modules/$file" ||
        fail "insmod $file"
    done < "/modules/$name.list"
  done
}
device_of() {  # UUID
  for second in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    blkid -U "$1" && return
    sleep 1
  done
  fail "no device has UUID $1"
}
hand_over() {  # FOLDER: its content is unpacked on the host
  load virtio_pci virtio_blk
  for disk in /sys/block/vd*; do
    [ "$(cat "$disk/serial")" = @RESULTS@ ] || continue
    tar -c -f "/dev/${disk##*/}" -C "$1" . || fail "hand over $1"
    return
  done
  fail "no disk for results"
}
. /script
echo "guest: done"
sync
reboot -f
""".replace("@RESULTS@", RESULTS)


def libraries(program):
    """Shared libraries of a program, as the dynamic loader finds them here."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    words = [word for line in out.splitlines() for word in line.split()]
    return sorted({word for word in words if word.startswith("/")})


def add_program(segment, source, path=None):
    """Puts a program with its libraries into the segment."""
    source = pathlib.Path(source)
    segment.add_file(path or str(source), source)
    for library in libraries(source):
        segment.add_file(library, pathlib.Path(library))


def module_files(kernel, names):
    """Path -> bytes of modules and what they need, and for each name the list that `load` reads."""
    files = {}
    for name in names:
        order = []
        for path in kernel.modprobe(name) or ():
            data = path.read_bytes()
            file = path.name
            if path.suffix == ".xz":  # busybox insmod does not unpack
                data, file = lzma.decompress(data), path.stem
            files[f"modules/{file}"] = data
            order.append(file)
        files[f"modules/{name}.list"] = "".join(f"{file}\n" for file in order).encode()
    return files


def base_segment(kernel):
    """The part of the guest that is the same for every script; made once for each kernel."""
    tools = [shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in PROGRAMS]
    missing = [name for name, tool in zip(PROGRAMS, tools) if not tool]
    if missing:
        raise SystemExit(f"not installed: {' '.join(missing)}; ./check installs what is needed")
    state = [kernel.version, INIT, CANCEL, str(MODULES), *(str(pathlib.Path(t).stat().st_mtime_ns)
                                                   for t in tools)]
    digest = hashlib.sha256("\0".join(state).encode()).hexdigest()[:16]
    cached = BOOT / "guests" / f"{kernel.version}-{digest}.cpio"
    if cached.exists():
        return cached
    segment = newc.Segment()
    segment.add("init", INIT.encode(), 0o755)
    segment.add_file("bin/busybox", pathlib.Path("/bin/busybox"))
    for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True,
                                 check=True).stdout.split():
        if applet not in ("busybox", "mkfs.vfat", "fsck.vfat", "blkid"):
            segment.add(f"bin/{applet}", "busybox")
    for tool in tools:
        add_program(segment, tool)
    segment.add_file(CANCEL, pathlib.Path(CANCEL))
    for path, data in module_files(kernel, MODULES).items():
        segment.add(path, data)
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cached.parent, delete=False) as scratch:
        scratch.write(segment.pack())
    pathlib.Path(scratch.name).rename(cached)  # two cases may come here at the same time
    return cached


def run(kernel, script, log, *, files=None, programs=(), command_line="", **options):
    """Runs `script` in a guest; `files` are path -> bytes or host path. Returns the Console."""
    segment = newc.Segment()
    segment.add("script", script.encode())
    for path, content in (files or {}).items():
        data = content if isinstance(content, bytes) else pathlib.Path(content).read_bytes()
        segment.add(path, data, 0o755)
    for program in programs:
        add_program(segment, program, f"usr/bin/{pathlib.Path(program).name}")
    with tempfile.NamedTemporaryFile(dir=BOOT, prefix="guest-") as initrd:
        with open(base_segment(kernel), "rb") as base:
            shutil.copyfileobj(base, initrd)
        initrd.write(segment.pack())
        initrd.flush()
        line = f"console=ttyS0 panic=5 {command_line}".strip()
        return qemu.run(kernel.image, initrd.name, line, log, **options)


def do(kernel, script, log, command_line="", **options):
    """Like run() for a script that has to succeed."""
    console = run(kernel, script, log, command_line=f"quiet {command_line}", **options)
    if "guest: done" not in console.text:
        reason = "timed out" if console.timed_out else "failed"
        raise SystemExit(f"guest {reason}, see {log}:\n{console.tail()}")
    return console


def fetch(kernel, script, log, destination, *, drives=(), **options):
    """Like do() for a script that calls hand_over: what it hands over lands in `destination`.

    Returns the Console."""
    BOOT.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=BOOT, prefix="results-") as results:
        results.truncate(RESULTS_SIZE)
        disk = qemu.Drive(results.name, "virtio-blk", serial=RESULTS)
        console = do(kernel, script, log, drives=[*drives, disk], **options)
        destination.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-x", "--no-same-owner", "-f", results.name, "-C", destination],
                       check=True)
    return console
