# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks that no controller of the machine drives, made inside a guest for record.py.

Target and initiator run in the same guest: the kernel's own targets (LIO, nvmet) over the loopback
interface, with the programs of Debian where the kernel has no interface of its own.
"""

from dataclasses import dataclass

import guest
import packages
from machines import uuid

PACKAGES = ("open-iscsi", "libopeniscsiusr", "libisns0", "libkmod2", "libssl3", "libmount1",
            "libblkid1", "libselinux1", "libpcre2-8-0", "libsystemd0", "libcap2", "libgcrypt20",
            "libgpg-error0", "liblz4-1", "liblzma5", "libzstd1", "nbd-server", "nbd-client",
            "libglib2.0-0", "libgnutls30", "libffi8", "libgmp10", "libhogweed6", "libnettle8",
            "libidn2-0", "libp11-kit0", "libtasn1-6", "libunistring2", "libnl-3-200",
            "libnl-genl-3-200", "zlib1g", "libc6")
PLACE = "opt/network-disks"

START = """
ip link set lo up || fail lo
truncate -s 256M /backing
"""
ISCSI = START + """
mount -t configfs none /sys/kernel/config || fail configfs
cd /sys/kernel/config/target
mkdir -p core/fileio_0/disk iscsi
echo fd_dev_name=/backing,fd_dev_size=268435456 > core/fileio_0/disk/control
echo 1 > core/fileio_0/disk/enable || fail backing
group=iscsi/iqn.2003-01.org.example:disk/tpgt_1
mkdir -p $group/lun/lun_0 $group/np/127.0.0.1:3260
ln -s $PWD/core/fileio_0/disk $group/lun/lun_0/port
echo 0 > $group/attrib/authentication
echo 0 > $group/attrib/demo_mode_write_protect
echo 1 > $group/attrib/generate_node_acls
echo 1 > $group/enable || fail target
cd /
iscsistart -i iqn.2003-01.org.example:host -t iqn.2003-01.org.example:disk -g 1 \\
  -a 127.0.0.1 -p 3260 || fail login
"""
NVME_TCP = START + """
mount -t configfs none /sys/kernel/config || fail configfs
cd /sys/kernel/config/nvmet
mkdir subsystems/disk subsystems/disk/namespaces/1 ports/1
echo 1 > subsystems/disk/attr_allow_any_host
echo 1 > subsystems/disk/namespaces/1/buffered_io
echo /backing > subsystems/disk/namespaces/1/device_path
echo 1 > subsystems/disk/namespaces/1/enable || fail namespace
echo ipv4 > ports/1/addr_adrfam
echo tcp > ports/1/addr_trtype
echo 127.0.0.1 > ports/1/addr_traddr
echo 4420 > ports/1/addr_trsvcid
ln -s $PWD/subsystems/disk ports/1/subsystems/disk || fail port
cd /
echo transport=tcp,traddr=127.0.0.1,trsvcid=4420,nqn=disk > /dev/nvme-fabrics || fail connect
"""
NBD = START + """
printf '[generic]\\nlistenaddr = 127.0.0.1\\n[disk]\\nexportname = /backing\\n' > /etc/nbd
nbd-server -C /etc/nbd || fail server
sleep 1
nbd-client -nonetlink -N disk 127.0.0.1 /dev/nbd0 || fail client
"""
ZRAM = """
echo 256M > /sys/block/zram0/disksize || fail zram
"""


@dataclass(frozen=True)
class NetworkDisk:
    name: str  # of the record
    modules: tuple[str, ...]
    setup: str
    node: str
    uuid: str
    programs: tuple[str, ...] = ()
    kernel: str = "bookworm"

    @property
    def mounts(self):
        return f"""
load {" ".join(self.modules)} ext4
{self.setup}
for n in 0 1 2 3 4 5 6 7 8 9; do [ -b {self.node} ] || sleep 1; done
mkfs.ext4 -q -U {self.uuid} {self.node} || fail mkfs
mkdir /new && mount -t ext4 {self.node} /new || fail mount
mkdir -p /new/var/crash
"""

    def files(self, kernel):
        root = packages.unpacked("network-disks", "bookworm", PACKAGES)
        return (packages.for_guest(root, self.programs, PLACE)
                | guest.module_files(kernel, (*self.modules, "ext4")))


DISKS = {disk.name: disk for disk in (
    NetworkDisk("iscsi", ("target_core_file", "iscsi_target_mod", "iscsi_tcp", "sd_mod"), ISCSI,
                "/dev/sda", uuid(101), ("sbin/iscsistart",)),
    NetworkDisk("nvme-tcp", ("nvmet_tcp", "nvme_tcp"), NVME_TCP, "/dev/nvme0n1", uuid(102)),
    NetworkDisk("nbd", ("nbd",), NBD, "/dev/nbd0", uuid(103),
                ("bin/nbd-server", "sbin/nbd-client")),
    NetworkDisk("zram", ("zram",), ZRAM, "/dev/zram0", uuid(104)),
)}
