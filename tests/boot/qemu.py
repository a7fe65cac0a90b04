# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a machine in QEMU until it reboots, with its console in a file."""

import fcntl
import os
import subprocess
import threading
import time
from dataclasses import dataclass

# How a disk hangs on the machine. {d} is the drive's id and also makes controllers unique.
ATTACH = {
    "virtio-blk": ["virtio-blk-pci,drive={d}"],
    "ahci": ["ahci,id=ahci{d}", "ide-hd,drive={d},bus=ahci{d}.0"],
    "nvme": ["nvme,drive={d},serial={d}"],
    "virtio-scsi": ["virtio-scsi-pci,id=scsi{d}", "scsi-hd,drive={d},bus=scsi{d}.0"],
    "usb-storage": ["qemu-xhci,id=xhci{d}", "usb-storage,drive={d},bus=xhci{d}.0"],
    "usb-uas": ["qemu-xhci,id=xhci{d}", "usb-uas,id=uas{d},bus=xhci{d}.0",
                "scsi-hd,drive={d},bus=uas{d}.0"],
    "sd-card": ["sdhci-pci", "sd-card,drive={d}"],
    "ide": ["ide-hd,drive={d},bus=ide.0"],  # the controller of the board
    "sym53c8xx": ["lsi53c895a,id=lsi{d}", "scsi-hd,drive={d},bus=lsi{d}.0"],
    "megaraid": ["megasas,id=mega{d}", "scsi-hd,drive={d},bus=mega{d}.0"],
    "pvscsi": ["pvscsi,id=pvscsi{d}", "scsi-hd,drive={d},bus=pvscsi{d}.0"],
    # The second namespace of a drive that more than one controller can reach.
    "nvme-subsystem": ["nvme-subsys,id=subsys{d}", "nvme,id=nvme{d},serial={d},subsys=subsys{d}",
                       "nvme-ns,drive={d},bus=nvme{d},nsid=2,shared=on"],
}


@dataclass(frozen=True)
class Drive:
    path: os.PathLike
    attach: str
    read_only: bool = False
    serial: str = ""  # of a disk on virtio-blk; the guest finds it in /sys/block/*/serial

    def arguments(self, name):
        drive = f"if=none,id={name},file={self.path},format=raw,cache=unsafe"
        # Not readonly=on: a journal may have to be replayed even to read; the file stays as it is.
        drive += ",snapshot=on" if self.read_only else ""
        serial = f",serial={self.serial}" if self.serial else ""
        devices = [("-device", device.format(d=name) + serial) for device in ATTACH[self.attach]]
        return ["-drive", drive, *(word for pair in devices for word in pair)]


class Console:
    """Lines of the serial console with the seconds since the start of QEMU.

    `when_said` is text -> what to do when a line holds it for the first time.
    """

    def __init__(self, log, when_said=None):
        self.lines = []
        self.log = log
        self.timed_out = False
        self.when_said = dict(when_said or {})

    def read(self, stream, start):
        with open(self.log, "w", encoding="utf-8") as log:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                seconds = time.monotonic() - start
                self.lines.append((seconds, line))
                log.write(f"[{seconds:7.2f}] {line}\n")
                log.flush()
                for text in [text for text in self.when_said if text in line]:
                    self.when_said.pop(text)()

    @property
    def text(self):
        return "\n".join(line for _, line in self.lines)

    def when(self, needle):
        """Seconds at which `needle` was first printed, None when it never was."""
        return next((seconds for seconds, line in self.lines if needle in line), None)

    def tail(self, count=25):
        return "\n".join(line for _, line in self.lines[-count:])


# Always emulated: figures compare from machine to machine, and a /dev/kvm inside a virtual machine
# may accept to be opened and then fail.
PROCESSOR = ("-accel", "tcg,thread=multi", "-cpu", "max")


# The least a pipe holds, see pipe(7): QEMU's serial port stops soon when nobody reads.
SMALL_PIPE = 4096


def run(image, initrd, command_line, log, *, drives=(), memory=1024, timeout=180,
        devices=(), when_said=None, unread_from=None):
    """Runs until the guest reboots or `timeout` seconds are over; returns its Console.

    `devices` are more arguments of QEMU. After the first line that holds `unread_from` nobody
    reads the console until QEMU has ended.
    """
    command = ["qemu-system-x86_64", *PROCESSOR, "-m", str(memory), "-display", "none",
               "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nic", "none",
               "-kernel", str(image), "-initrd", str(initrd), "-append", command_line, *devices]
    for index, drive in enumerate(drives):
        command += drive.arguments(f"d{index}")
    console = Console(log, when_said)
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        def stop():
            console.timed_out = True
            process.kill()

        if unread_from:
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
            console.when_said[unread_from] = process.wait
        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            console.read(process.stdout, start)
        finally:
            timer.cancel()
            if process.poll() is None and not console.timed_out:
                process.terminate()
    return console
