# SPDX-License-Identifier: GPL-2.0-or-later
"""What layers between disk and file system cost: the smallest reservation with and without them."""

import functools
import json
from dataclasses import dataclass

import reservation
from paths import MACHINES
from reservation import Setup

# A single panic near the minimum is down to chance: when the kernel unpacks the image beside its
# initcalls, it matters which of them come first.
TIMES = 3
USUAL_MARGIN = 2  # MiB that predictions for a plain disk are above what it needs


@dataclass(frozen=True)
class Stack:
    """A machine with layers, and one that is the same but for them."""

    title: str
    machine: str
    plain: str
    most: int  # MiB that they may cost
    keyed: bool = False
    handler: str = ""  # of the hardware that its paths lead to, which QEMU has not


STACKS = {
    "lvm": Stack("LVM", "qemu-lvm-ext4", "qemu-virtio-ext4", 1),
    "raid1": Stack("MD raid1", "qemu-md-raid1", "qemu-scsi-ext4", 2),
    "lvm-raid1": Stack("LVM on MD raid1", "qemu-lvm-md-raid1", "qemu-scsi-ext4", 2),
    "raid5": Stack("MD raid5 of three disks", "qemu-md-raid5", "qemu-scsi-ext4", 5),
    # The kernel's failover is not enough for such arrays: init takes one path.
    "one-path": Stack("multipath, one path", "qemu-multipath-ext4", "qemu-scsi-ext4", 1,
                      handler="rdac"),
    "multipath": Stack("multipath, both paths", "qemu-multipath-ext4", "qemu-scsi-ext4", 1),
    "btrfs": Stack("btrfs raid1 of two disks", "qemu-btrfs-raid1", "qemu-scsi-btrfs", 1),
    "luks": Stack("LUKS2", "qemu-luks2-ext4", "qemu-scsi-ext4", 5, keyed=True),
}


def handled_by(machine, handler):
    """The recorded devices, their multipath disks with that hardware handler."""
    devices = json.loads((MACHINES / f"{machine}.json").read_text())["devices"]
    for device in devices:
        if "multipath" in device:
            device["multipath"]["handler"] = handler
    return {"devices": devices}


def measured(builder, setup, margin, facts_too=None):
    """Predicted and bisected minimum in MiB; `margin` is the likely difference."""
    image = setup.build(builder, facts_too)
    return image.needed, reservation.minimum(setup, image, reservation.saves, image.needed - margin,
                                             step=1, times=TIMES)


@functools.cache
def measured_plain(builder, machine, kernel):
    return measured(builder, Setup(kernel, machine_name=machine), USUAL_MARGIN)


def row(builder, stack, kernel):
    plain_predicted, plain = measured_plain(builder, stack.plain, kernel)
    setup = Setup(kernel, machine_name=stack.machine, variation=stack.handler, keyed=stack.keyed)
    predicted, minimum = measured(builder, setup, plain_predicted - plain,
                                  handled_by(stack.machine, stack.handler) if stack.handler else None)
    return {"title": stack.title, "plain": plain, "minimum": minimum, "costs": minimum - plain,
            "most": stack.most, "predicted": predicted, "above": predicted - minimum}


def table(rows):
    lines = ["| stack | plain disk | with the stack | difference | wanted | predicted | above the truth |",
             "|---|---|---|---|---|---|---|"]
    lines += [f"| {r['title']} | {r['plain']}M | {r['minimum']}M | {r['costs']:+} | +{r['most']} "
              f"| {r['predicted']}M | {r['above']} |" for r in rows]
    return "\n".join(lines)


def compare(builder, names, kernel):
    """Measures the stacks and prints a table; whether none costs more than it may."""
    rows = []
    reservation.OUT.mkdir(parents=True, exist_ok=True)
    for name in names:
        rows.append(row(builder, STACKS[name], kernel))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    (reservation.OUT / "stacks.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"\n{table(rows)}")
    return all(r["costs"] <= r["most"] and r["above"] >= 0 for r in rows)
