#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian guest rehearses its crash with kdump-config rehearse:

debian_rehearsal.py SUITE

In each boot it looks at what became of the rehearsal before, and arms the next:
1. armed, and powered off: nothing happens.
2. armed, and rebooted: it crashes, the image saves, and with KDUMP_NUM_DUMPS=1 the dump of a real
   crash stays.
3. That dump was whole and is gone. Armed, rebooted, and the power is cut while it saves.
4. That is told. The dump goes to a second disk, whose file system is destroyed after arming: the real
   root saves to another one.
5. That is told. The reservation is too small: refused.
"""

import dataclasses
import shutil
import sys

import debian_guest
import debian_root

PANIC = debian_guest.PANIC


@dataclasses.dataclass(frozen=True)
class Boot:
    name: str
    crashkernel: str = "96M"
    crashes: bool = True
    says: tuple = ()  # by the console, after the panic where it crashes
    cut_at: str = ""


BOOTS = (
    Boot("poweroff", crashes=False, says=("reboot: Power down",)),
    Boot("good", says=("this is a rehearsal", "result: saved", "reboot: machine restart")),
    Boot("cut", says=("this is a rehearsal",), cut_at="dump: makedumpfile"),
    Boot("destroyed", crashkernel="192M",
         says=("the root file system tries again", "saved vmcore in /var/crash/",
               "reboot: machine restart")),
    Boot("refused", crashkernel="68M", crashes=False, says=("reboot: Power down",)),
)

SCRIPT = r"""#!/bin/sh
exec >/dev/ttyS0 2>&1
mark=/var/lib/guest-mark
real=/var/crash/202001010000
check() { # NAME COMMAND...
  name=$1; shift
  if "$@"; then echo "GUEST ok: $name"; else echo "GUEST failed: $name"; fi
}
judged() { # PATTERN: of the status, when the dump was read
  while kdump-config status | grep -q '^rehearsal .*is being read'; do sleep 1; done
  kdump-config status | grep "^rehearsal *: .*$1"
}
silent() { ! kdump-config status | grep '^rehearsal'; }
learned() { kdump-config show | grep "memory of the kernel: measured in a capture on "; }
left() { [ "$(find /var/crash -mindepth 1 -maxdepth 1 -type d)" = "$1" ]; } # DIRECTORY
refuses() { # PATTERN
  said=$(kdump-config rehearse 2>&1) && return 1
  echo "$said" | grep "$1"
}
cancels() {
  kdump-config rehearse && kdump-config rehearse --cancel && silent &&
    [ "$(systemctl is-active kdump-tools-rehearse)" = inactive ]
}
goes() { # NAME VERB
  echo "$1" > $mark
  sync
  systemctl "$2"
  exit 0
}
kdump-config status
case $(cat $mark 2>/dev/null) in
  "")
    check "nothing is said without a rehearsal" silent
    check "a rehearsal can be cancelled" cancels
    check "arming, for a poweroff" kdump-config rehearse
    goes poweroff poweroff
    ;;
  poweroff)
    check "a poweroff is none" judged 'has shown nothing: the machine was not restarted'
    # What a real crash has left.
    mkdir -p $real
    echo "a dump" > $real/dump.202001010000
    check "arming, for a reboot" kdump-config rehearse
    goes good reboot
    ;;
  good)
    check "it is rehearsed" judged 'with this kernel and image: dump whole'
    check "show has its steps" sh -c "kdump-config show | grep '^   dump .* MiB left'"
    check "its dump is gone, that of the real crash is not" left $real
    check "its figures are kept" learned
    check "arming, for a power cut" kdump-config rehearse
    goes cut reboot
    ;;
  cut)
    check "a capture that was cut off is told" judged 'has shown nothing: the capture was cut off'
    check "a file system on another disk" mkfs.ext4 -q /dev/vdb
    check "is mounted" mount /dev/vdb /var/crash
    check "and the target" kdump-config reload
    check "arming, for a target that goes" kdump-config rehearse
    # All but the superblock: it is found and cannot be mounted.
    dd if=/dev/urandom of=/dev/vdb bs=4096 seek=1 count=4096 conv=fsync,notrunc
    goes destroyed reboot
    ;;
  destroyed)
    check "a dump in another place is told" judged 'FAILED: the dump is on ext4 .* was meant for ext4 '
    check "an image that does not fit is refused" refuses 'does not fit'
    goes end poweroff
    ;;
esac
echo "GUEST failed: it did not go on"
systemctl --force --force poweroff
"""


def problems_of(boot, console):
    problems = debian_guest.said(console, "failed")
    if console.timed_out:
        problems.append("it did not end")
    if bool(console.when(PANIC)) != boot.crashes:
        problems.append("it did not crash" if boot.crashes else "it crashed")
    after = console.text.partition(PANIC)[2] if boot.crashes else console.text
    return problems + [f"the console does not say {text!r}" for text in boot.says
                       if text not in after]


def prepare(root):
    with open(root / "etc/default/kdump-tools", "a", encoding="utf-8") as config:
        config.write("KDUMP_NUM_DUMPS=1\n")


def main():
    suite = debian_root.suite_of(sys.argv, __doc__)
    debian_root.need_root()
    folder = debian_root.FOLDER / f"{suite}-rehearsal"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    disk, kernel = debian_guest.make_disk(suite, folder, SCRIPT, prepare)
    second = folder / "second.img"
    with open(second, "wb") as file:
        file.truncate(256 << 20)
    for boot in BOOTS:
        console = debian_guest.boot(kernel, (disk, second), boot.crashkernel,
                                    folder / f"{boot.name}.log", boot.cut_at)
        print("\n".join(f"  ok: {text}" for text in debian_guest.said(console, "ok")))
        print(f"{boot.name}: {console.lines[-1][0]:.0f} s", flush=True)
        if problems := problems_of(boot, console):
            print("\n".join(f"FAILED: {problem}" for problem in problems))
            print(f"console: {console.log}\n{console.tail(80)}")
            return 1
    for path in (disk, second):
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
