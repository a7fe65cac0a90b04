#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""record.py: makes members.xz beside it, superblocks of arrays that mdadm made in a guest.

For each member what mdadm --examine says of it and the 4 KiB of its superblock; the record of one is
NAME SIZE PLACE (of the superblock) in 128 bytes, the text in 3968 and the superblock. What is here
came from mdadm 4.2 and Linux 6.1.
"""

import lzma
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "boot"))
import guest  # noqa: E402
import kernels  # noqa: E402
import storage_tools  # noqa: E402
from paths import BOOT  # noqa: E402

MODULES = ("loop", "md_mod", "raid0", "raid1", "raid10", "raid456", "linear")
VERSIONS = ("0.90", "1.0", "1.1", "1.2")
# Number of members, level and layout.
LAYOUTS = ("2 linear", "3 raid0", "2 raid1", "4 raid1", "3 raid4", "3 raid5", "3 raid5 --layout=ra",
           "4 raid6", "4 raid10 --layout=n2", "3 raid10 --layout=f2", "3 raid10 --layout=o2",
           # Chunks from the smallest to above the 512 KiB that are usual.
           "3 raid0 --chunk=4", "3 raid5 --chunk=64", "4 raid6 --chunk=1024 --layout=rs",
           "4 raid10 --chunk=32 --layout=n3")

# Disks of odd sizes, so that rounding of a place shows.
SCRIPT = """
load {modules}
mkdir -p /disks /out
for n in 0 1 2 3 4; do
  dd if=/dev/null of=/disks/$n bs=512 seek=$((40963 + n * 14)) 2>/dev/null
  losetup /dev/loop$n /disks/$n || fail losetup
done
loops() {{ for n; do echo /dev/loop$n; done; }}
create() {{  # VERSION "NUMBERS" LEVEL [OPTION]... with $spares after them
  version=$1 disks=$2 level=$3
  shift 3
  mdadm --create /dev/md0 --run --quiet --metadata=$version --level=$level \\
    --raid-devices=$(echo $disks | wc -w) --homehost=any --name=0 "$@" \\
    $(for disk in $disks; do [ $disk = missing ] && echo missing || loops $disk; done) \
    $(loops $spares) || fail create "$level"
}}
block() {{ dd if=/disks/$1 of=$2 bs=4096 iflag=skip_bytes skip=$place count=1 2>/dev/null; }}
keep() {{  # NAME NUMBER...
  name=$1
  shift
  for n; do
    size=$(stat -c %s /disks/$n)
    case $version in
      0.90) place=$((size / 65536 * 65536 - 65536)) ;;
      1.0) place=$(((size / 512 - 16) / 8 * 8 * 512)) ;;
      1.1) place=0 ;;
      1.2) place=4096 ;;
    esac
    echo "$size $place" > /out/$name-$n.place
    until block $n /out/$name-$n.block; mdadm --examine /dev/loop$n > /out/$name-$n.text
          block $n /block; cmp -s /out/$name-$n.block /block; do :; done
  done
}}
end() {{
  mdadm --stop --quiet /dev/md0 || fail stop
  mdadm --zero-superblock --quiet /dev/loop0 /dev/loop1 /dev/loop2 /dev/loop3 /dev/loop4
  dd if=/dev/zero of=/disks/0 bs=512 count=64 conv=notrunc 2>/dev/null
}}
write() {{ dd if=/dev/urandom of=/dev/md0 bs=4k count=4 conv=fsync 2>/dev/null || fail write; }}
md=/sys/block/md0/md spares=
{layouts}
for version in 0.90 1.0 1.2; do
  spares=2
  create $version "0 1" raid1 --assume-clean --spare-devices=1
  spares=
  keep spare-$version 0 1 2
  echo 60 > $md/safe_mode_delay
  write
  keep dirty-$version 0 1 2
  mdadm --quiet /dev/md0 --fail /dev/loop1 || fail fail
  mdadm --wait /dev/md0
  write
  keep replaced-$version 0 1 2
  end
  create $version "0 1 missing" raid5
  write
  keep degraded-$version 0 1
  echo 10 > $md/sync_speed_max
  mdadm --quiet /dev/md0 --add /dev/loop3 || fail add
  sleep 3
  keep rebuilding-$version 0 1 3
  echo 10000000 > $md/sync_speed_max
  mdadm --wait /dev/md0
  end
done
version=1.2
create $version "0 1" raid1 --assume-clean --bitmap=internal
keep bitmap 0 1
end
create $version "0 1 2" raid5 --write-journal /dev/loop4
keep journal 0 1 2 4
end
create $version "0 1 2" raid5 --consistency-policy=ppl
keep ppl 0 1 2
end
create $version "0 1 2" raid5 --assume-clean
mdadm --quiet /dev/md0 --add /dev/loop3 || fail add
echo 10 > $md/sync_speed_max
mdadm --quiet --grow /dev/md0 --raid-devices=4 || fail grow
sleep 2
keep reshape 0 1 2 3
for name in /out/*.text; do echo "guest: ${{name##*/}}"; done
hand_over /out
"""


def layout_lines():
    lines = []
    for version in VERSIONS:
        for layout in LAYOUTS:
            count, level, *options = layout.split()
            name = "-".join([version, count, level, *(o.split("=")[1] for o in options)])
            numbers = " ".join(map(str, range(int(count))))
            if (version, level) == ("0.90", "raid0"):
                continue  # mdadm refuses to make one
            clean = "" if level in ("linear", "raid0") else "--assume-clean"
            lines.append(f'create {version} "{numbers}" {level} {" ".join(options)} {clean}\n'
                         f"keep {name} {numbers}\nend")
    return "\n".join(lines)


def main():
    kernel = kernels.unpacked("bookworm")
    script = SCRIPT.format(modules=" ".join(MODULES), layouts=layout_lines())
    files = storage_tools.program_files("mdadm") | guest.module_files(kernel, MODULES)
    BOOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BOOT) as scratch:
        out = pathlib.Path(scratch)
        guest.fetch(kernel, script, BOOT / "record-md.log", out, files=files, timeout=900)
        records = []
        for text in sorted(out.glob("*.text")):
            head = f"{text.stem} {text.with_suffix('.place').read_text()}"
            records += [head.encode().ljust(128, b"\0"), text.read_bytes().ljust(3968, b"\0"),
                        text.with_suffix(".block").read_bytes()]
    packed = lzma.compress(b"".join(records), check=lzma.CHECK_CRC32,
                           filters=[{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 20}])
    (HERE / "members.xz").write_bytes(packed)
    print(f"{len(records) // 3} members, {len(packed)} bytes")


if __name__ == "__main__":
    main()
