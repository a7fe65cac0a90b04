# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a machine in QEMU until it reboots, with its console in a file."""

import fcntl
import json
import os
import socket
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
    # One of the paths to a disk: QEMU opens its file once for each.
    "path": ["virtio-scsi-pci,id=scsi{d}",
             "scsi-hd,drive={d},bus=scsi{d}.0,share-rw=on,wwn=0x5000c50000000001"],
}


@dataclass(frozen=True)
class Drive:
    path: os.PathLike
    attach: str
    read_only: bool = False
    serial: str = ""  # of a disk on virtio-blk; the guest finds it in /sys/block/*/serial
    name: str = ""  # by which a Change finds it; others are numbered
    absent: bool = False  # until a Change brings it; its controller is there

    def arguments(self, name):
        """Of the command line: pairs of an option and its value. The last one is the disk itself."""
        drive = f"if=none,id={name},file={self.path},format=raw,cache=unsafe"
        # Not readonly=on: a journal may have to be replayed even to read; the file stays as it is.
        drive += ",snapshot=on" if self.read_only else ""
        drive += ",file.locking=off" if self.attach == "path" else ""
        serial = f",serial={self.serial}" if self.serial else ""
        *controllers, disk = [device.format(d=name) + serial for device in ATTACH[self.attach]]
        return [("-drive", drive), *(("-device", device) for device in controllers),
                ("-device", f"{disk},id={name}")]

    def at_start(self, name):
        """Those of arguments() that QEMU is started with."""
        _, *controllers, _ = arguments = self.arguments(name)
        return controllers if self.absent else arguments

    def unplug(self):
        return [f"device_del {self.name}"]

    def plug(self):
        """The disk only: its controller has stayed. QEMU forgets a drive with its last device."""
        (_, drive), *_, (_, disk) = self.arguments(self.name)
        return [f"drive_add 0 {drive}", f"device_add {disk}"]


class Console:
    """Lines of the serial console with the seconds since the start of QEMU.

    `when_said` are pairs of a text and what to do when a line holds it for the first time.
    """

    def __init__(self, log, when_said=()):
        self.lines = []
        self.log = log
        self.timed_out = False
        self.when_said = list(when_said)

    def read(self, stream, start):
        with open(self.log, "w", encoding="utf-8") as log:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                seconds = time.monotonic() - start
                self.lines.append((seconds, line))
                log.write(f"[{seconds:7.2f}] {line}\n")
                log.flush()
                for pair in [pair for pair in self.when_said if pair[0] in line]:
                    self.when_said.remove(pair)
                    pair[1]()

    @property
    def text(self):
        return "\n".join(line for _, line in self.lines)

    def when(self, needle):
        """Seconds at which `needle` was first printed, None when it never was."""
        return next((seconds for seconds, line in self.lines if needle in line), None)

    def tail(self, count=25):
        return "\n".join(line for _, line in self.lines[-count:])


class Monitor:
    """Takes devices away from a machine that runs, and gives them back; the words are HMP's."""

    def __init__(self):
        self.ours, self.qemus = socket.socketpair()
        self.lock = threading.Lock()
        number = self.qemus.fileno()
        self.arguments = ["-chardev", f"socket,id=qmp,fd={number}", "-mon", "chardev=qmp,mode=control"]
        self.lines = self.ours.makefile("r", encoding="utf-8")

    def tell(self, commands):
        with self.lock:
            self.execute("qmp_capabilities")
            for command in commands:
                answer = self.execute("human-monitor-command", {"command-line": command})
                if answer.strip() not in ("", "OK"):
                    raise RuntimeError(f"{command}: {answer}")

    def execute(self, command, arguments=None):
        request = {"execute": command} | ({"arguments": arguments} if arguments else {})
        self.ours.sendall(json.dumps(request).encode())
        for line in self.lines:  # events may come in between
            answer = json.loads(line)
            if "error" in answer and command != "qmp_capabilities":  # which is asked for once too often
                raise RuntimeError(f"{command}: {answer}")
            if "return" in answer or "error" in answer:
                return str(answer.get("return", ""))
        raise RuntimeError(f"QEMU has ended before {command}")


@dataclass(frozen=True)
class Change:
    """A disk comes or goes, `seconds` after the first line of the console that holds `when`."""

    when: str
    drive: str  # its name
    there: bool = False
    seconds: int = 0


# Always emulated: figures compare from machine to machine, and a /dev/kvm inside a virtual machine
# may accept to be opened and then fail.
PROCESSOR = ("-accel", "tcg,thread=multi", "-cpu", "max")


# The least a pipe holds, see pipe(7): QEMU's serial port stops soon when nobody reads.
SMALL_PIPE = 4096


def run(image, initrd, command_line, log, *, drives=(), memory=1024, timeout=180,
        devices=(), changes=(), when_said=(), unread_from=None, cut_at=None):
    """Runs until the guest reboots or `timeout` seconds are over; returns its Console.

    `devices` are more arguments of QEMU, `changes` come to the drives. After the first line that holds
    `unread_from` nobody reads the console until QEMU has ended. At the first one that holds `cut_at`
    the power is cut.
    """
    monitor = Monitor()
    command = ["qemu-system-x86_64", *PROCESSOR, "-m", str(memory), "-display", "none",
               "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nic", "none",
               "-kernel", str(image), "-initrd", str(initrd), "-append", command_line,
               *monitor.arguments, *devices]
    for index, drive in enumerate(drives):
        command += [word for pair in drive.at_start(drive.name or f"d{index}") for word in pair]
    console = Console(log, when_said)
    named = {drive.name: drive for drive in drives}
    for change in changes:
        drive = named[change.drive]
        commands = drive.plug() if change.there else drive.unplug()
        timer = threading.Timer(change.seconds, monitor.tell, (commands,))
        timer.daemon = True
        console.when_said.append((change.when, timer.start))
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, pass_fds=(monitor.qemus.fileno(),)) as process:
        def stop():
            console.timed_out = True
            process.kill()

        if cut_at:
            console.when_said.append((cut_at, process.kill))
        if unread_from:
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
            console.when_said.append((unread_from, process.wait))
        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            console.read(process.stdout, start)
        finally:
            timer.cancel()
            if process.poll() is None and not console.timed_out:
                process.terminate()
    return console
