#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record.sh DIRECTORY: makes the physical volumes of these tests with the machine's lvm2, on loop
# devices and without device-mapper, and packs them. As root; what is here came from lvm2 2.03.16.
set -euo pipefail
out=$(realpath "$1")
work=$(mktemp -d)
loops=()
# shellcheck disable=SC2154 # loop is set in there
trap 'for loop in "${loops[@]}"; do losetup -d "$loop"; done; rm -rf "$work"' EXIT
cd "$work"
for number in 1 2 3; do
  truncate -s 24M "pv$number"
  loops+=("$(losetup -f --show "pv$number")")
done
mkdir etc
export LVM_SYSTEM_DIR=$work/etc
cat >etc/lvm.conf <<END
devices { filter = [ $(printf '"a|^%s$|", ' "${loops[@]}") "r|.*|" ] use_devicesfile = 0
          obtain_device_list_from_udev = 0 external_device_info_source = "none" }
global { activation = 0 use_lvmlockd = 0 use_lvmpolld = 0 locking_dir = "$work/lock" }
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
backup { backup = 0 archive = 0 }
END
quiet() { "$@" >>log 2>&1 || { tail -5 log >&2; exit 1; }; }
keep() { # NAME NUMBER...
  local name=$1
  shift
  sync
  for number in "$@"; do xz --lzma2=preset=9,dict=1MiB --check=crc32 -c "pv$number" >"$out/$name-$number.xz"; done
}
make() { quiet lvcreate -y -an -Zn -Wn "$@"; }

# Two areas, one, none; dashes; three segments on two disks; stripes.
quiet pvcreate --pvmetadatacopies 2 "${loops[0]}"
quiet pvcreate --pvmetadatacopies 1 "${loops[1]}"
quiet pvcreate --pvmetadatacopies 0 "${loops[2]}"
quiet vgcreate -s 1M vg-a--b "${loops[@]}"
make -n ro-ot -l 3 vg-a--b "${loops[2]}"
make -n other -l 2 vg-a--b "${loops[2]}"
make -n str -i 3 -I 64k -l 6 vg-a--b
quiet lvextend -l +2 vg-a--b/ro-ot "${loops[2]}"
cp pv1 older
quiet lvextend -l +4 vg-a--b/ro-ot "${loops[0]}"
quiet lvchange --addtag ro-ot vg-a--b/other
lvs --noheadings --separator ' ' --nosuffix --units s -o vg_uuid,lv_uuid,lv_name,seg_start,seg_size,seg_pe_ranges vg-a--b
keep group 1 2 3
cp pv1 newer
cp older pv1
keep stale 1
cp newer pv1

# A text that goes on at the start of its area.
quiet vgremove -f vg-a--b
quiet pvremove "${loops[@]}"
quiet pvcreate "${loops[0]}"
quiet vgcreate -s 1M wrap "${loops[0]}"
make -n root -l 3 wrap
tags=()
for number in $(seq 300); do tags+=(--addtag "a-tag-that-takes-place-in-the-text-$number"); done
quiet lvchange "${tags[@]}" wrap/root
for number in $(seq 200); do
  quiet lvchange --addtag "$number" wrap/root
  # struct mda_header at 4096: size at 32, offset and size of the text at 40 and 48.
  read -r area offset size < <(od -An -w24 -t u8 -j $((4096 + 32)) -N 24 pv1)
  if [ $((offset + size)) -gt "$area" ] && [ "$offset" -lt $((area - 100)) ]; then break; fi
done
[ $((offset + size)) -gt "$area" ]
keep wrap 1
