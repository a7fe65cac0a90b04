# SPDX-License-Identifier: GPL-2.0-or-later
"""MD arrays, LUKS containers and multipath devices, as layers."""

from dataclasses import dataclass

from layers import ATTACH_MODULES, Layer, nodes


# Every member of an array gets a fixed id where mdadm draws one, so that a record fits an array that is
# made later: the first four bytes of its own UUID, and the checksum of the superblock with them.
FIXED_MEMBER = """
put_word() {  # DEVICE PLACE NUMBER
  bytes=
  for shift in 0 8 16 24; do bytes="$bytes$(printf '\\\\x%02x' $(($3 >> shift & 255)))"; done
  printf "$bytes" | dd of=$1 bs=1 seek=$2 conv=notrunc 2>/dev/null || fail put_word
}
word() { od -An -tu4 -j $2 -N 4 $1; }
fix_member() {  # DEVICE PLACE-OF-SUPERBLOCK INDEX
  id=$((0x6b + ($3 << 24)))
  sum=$(($(word $1 $(($2 + 216))) + id + 0xffffffff - $(word $1 $(($2 + 168)))))
  while [ $sum -gt $((0xffffffff)) ]; do sum=$(((sum & 0xffffffff) + (sum >> 32))); done
  put_word $1 $(($2 + 168)) $id
  put_word $1 $(($2 + 216)) $sum
  mdadm --examine $1 | grep -q 'Checksum.*correct' || fail "checksum of $1"
}
"""


@dataclass(frozen=True)
class Array(Layer):
    """An MD array, made as Debian's installer makes it."""

    members: tuple[Layer, ...]
    level: str
    uuid: str
    metadata: str = "1.2"
    missing: int = 0  # more members, which it never had
    number: int = 0

    tool = "mdadm"

    @property
    def below(self):
        return self.members

    @property
    def modules(self):
        personality = {"4": "raid456", "5": "raid456", "6": "raid456", "linear": "linear"}
        return f"md_mod {personality.get(self.level, f'raid{self.level}')}"

    @property
    def node(self):
        return f"/dev/md{self.number}"

    @property
    def make(self):
        """Its members are blank, so they are in sync without a resync."""
        return (f"mdadm --create {self.node} --run --quiet --metadata={self.metadata} "
                f"--level={self.level} --raid-devices={len(self.members) + self.missing} "
                f"--uuid={self.uuid} --name={self.number} --homehost=any --assume-clean "
                f"{nodes(self.members)}{' missing' * self.missing} || fail mdadm --create")

    @property
    def start(self):
        """With what is there of its members."""
        return (f"mdadm --assemble {self.node} --quiet --config=none --uuid={self.uuid} --run "
                f"$(ls {nodes(self.members)} 2>/dev/null) || fail mdadm --assemble")

    @property
    def stop(self):
        """And gives the members their ids, which is done once it is made."""
        places = {"1.1": "0", "1.2": "4096",
                  "1.0": "$((($(cat /sys/class/block/{name}/size) - 16) / 8 * 8 * 512))"}
        lines = [f"mdadm --stop --quiet {self.node} || fail mdadm --stop"]
        if self.metadata in places:
            lines.append(FIXED_MEMBER)
            lines += [f"fix_member {member.node} {places[self.metadata]} {index}".format(
                name=member.node.rpartition("/")[2]) for index, member in enumerate(self.members)]
        return "\n".join(lines)

    @property
    def examine(self):
        return f"for node in $(ls {nodes(self.members)} 2>/dev/null); do audit mdadm --examine $node; done"

    @property
    def audit(self):
        return f"audit mdadm --detail {self.node}"


@dataclass(frozen=True)
class FirmwareArray(Layer):
    """A mirror with the metadata of a firmware RAID (DDF), which mdmon writes."""

    members: tuple[Layer, ...]

    tool = "mdadm"
    modules = "md_mod raid1"
    node = "/dev/md0"
    CONTAINER = "/dev/md127"

    @property
    def below(self):
        return self.members

    @property
    def make(self):
        count = len(self.members)
        return (f"mdadm --create {self.CONTAINER} --run --quiet --metadata=ddf --raid-devices={count} "
                f"{nodes(self.members)} || fail container\n"
                f"mdadm --create {self.node} --run --quiet --level=1 --raid-devices={count} "
                f"--assume-clean {self.CONTAINER} || fail mdadm --create")

    @property
    def start(self):
        return (f"mdadm --assemble {self.CONTAINER} --quiet --config=none {nodes(self.members)} "
                f"|| fail container\nmdadm --incremental --quiet {self.CONTAINER} || fail array\n"
                f"[ -b {self.node} ] || ln -s $(ls /dev/md[0-9]* | grep -v 127) {self.node}")

    @property
    def stop(self):
        return "\n".join(f"mdadm --stop --quiet {node} || fail mdadm --stop"
                         for node in (self.node, self.CONTAINER))


@dataclass(frozen=True)
class Luks(Layer):
    """A LUKS container, whose passphrase and volume key are known to everybody."""

    on: Layer
    uuid: str
    version: str = "luks2"
    name: str = "crypt"

    tool = "cryptsetup"
    modules = "dm_mod dm_crypt xts algif_skcipher"
    VOLUME_KEY = bytes(range(64))  # /etc/luks-volume-key of the guest
    PASSPHRASE = b"kdump"          # /etc/luks-passphrase

    @property
    def below(self):
        return (self.on,)

    @property
    def node(self):
        return f"/dev/mapper/{self.name}"

    @property
    def make(self):
        """The least iterations that cryptsetup accepts: an emulated machine has to do them."""
        return (f"cryptsetup luksFormat --batch-mode --type {self.version} --uuid {self.uuid} "
                "--cipher aes-xts-plain64 --key-size 512 --volume-key-file /etc/luks-volume-key "
                "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /etc/luks-passphrase "
                f"{self.on.node} || fail luksFormat\n{self.start}")

    @property
    def start(self):
        return (f"cryptsetup open --key-file /etc/luks-passphrase {self.on.node} {self.name} "
                "|| fail cryptsetup open")

    @property
    def stop(self):
        return f"cryptsetup close {self.name} || fail cryptsetup close"

    @property
    def audit(self):
        return (f"audit cryptsetup luksDump {self.on.node}\naudit cryptsetup status {self.name}\n"
                f'echo "guest: header $(cryptsetup luksHeaderBackup {self.on.node} '
                '--header-backup-file /header && md5sum < /header; rm -f /header)"')


@dataclass(frozen=True)
class Multipath(Layer):
    """One disk on two controllers, put together by multipath-tools as the first of its names."""

    partition: bool = False
    megabytes: int = 512

    attach = "two-paths"
    tool = "multipath"
    modules = f"scsi_dh_alua {ATTACH_MODULES[attach]} dm_mod dm_multipath dm_round_robin dm_service_time"
    PATHS = ("/dev/sda", "/dev/sdb")

    @property
    def node(self):
        return "/dev/mapper/mpatha" + "-part1" * self.partition

    @property
    def make(self):
        return self.start

    @property
    def start(self):
        """The tools ask udev for the identity of a path, which lies in files without a daemon."""
        return r"""
for n in 0 1 2 3 4 5 6 7 8 9; do [ -b /dev/sdb ] || sleep 1; done
mkdir -p /run/udev/data
for path in /sys/block/sd*; do
  wwn=$(sed s/naa.// $path/device/wwid)
  printf "I:1\nE:ID_SERIAL=3$wwn\nE:ID_WWN=0x$wwn\n" > /run/udev/data/b$(cat $path/dev)
done
multipath -v1 || fail multipath
[ -b /dev/mapper/mpatha ] || fail "no multipath device"
""" + ("kpartx -a -p -part /dev/mapper/mpatha || fail kpartx" if self.partition else "")

    @property
    def stop(self):
        return (("kpartx -d -p -part /dev/mapper/mpatha\n" if self.partition else "")
                + "multipath -F || fail multipath -F")

    @property
    def audit(self):
        return "audit multipath -ll\naudit dmsetup status"
