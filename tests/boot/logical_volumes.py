# SPDX-License-Identifier: GPL-2.0-or-later
"""Volume groups of LVM and their volumes, as layers."""

from dataclasses import dataclass

from layers import Layer, nodes


@dataclass(frozen=True)
class Group(Layer):
    """An LVM volume group."""

    name: str
    devices: tuple[Layer, ...]  # of its physical volumes

    tool = "lvm"
    modules = "dm_mod"

    @property
    def below(self):
        return self.devices

    @property
    def make(self):
        lines = [f"lvm pvcreate -qq --norestorefile -u kdump0-0000-0000-0000-0000-0000-00000{index} "
                 f"{place.node} || fail pvcreate" for index, place in enumerate(self.devices)]
        return "\n".join((*lines, f"lvm vgcreate -qq {self.name} {nodes(self.devices)} || fail vgcreate"))

    @property
    def start(self):
        return f"lvm vgchange -qq -ay {self.name} || fail vgchange"

    @property
    def stop(self):
        return f"lvm vgchange -qq -an {self.name} || fail vgchange"

    @property
    def audit(self):
        """What lvm thinks of all groups, as a case may rename one, and a digest of the volume "kept"."""
        kept = f"/dev/{self.name}/kept"
        return ("audit lvm vgck\naudit lvm lvs -a -o lv_name,lv_attr,lv_size,devices\n"
                f'[ ! -b {kept} ] || echo "guest: kept $(md5sum < {kept})"')


# Every id of the volume group gets a fixed one, so that a record fits a group that is made later.
# `lvm` takes them from an edited copy of the metadata; those of physical volumes it takes as they are.
FIXED_IDS = """
lvm vgchange -qq -an {group} && lvm vgcfgbackup -qq -f /group {group} || fail vgcfgbackup
awk '/physical_volumes/ {{ p = 1 }} /logical_volumes/ {{ p = 0 }}
     !p && /^[ \\t]*id = / {{ n++; $3 = sprintf("\\"kdump%d-0000-0000-0000-0000-0000-%06d\\"", n, n) }}
     {{ print }}' /group > /group.fixed
lvm vgcfgrestore -qq {force} -f /group.fixed {group} && lvm vgchange -qq -ay {group} || fail vgcfgrestore
"""


@dataclass(frozen=True)
class Volume(Layer):
    """A logical volume of a group."""

    group: Group
    name: str
    layout: str = ""  # lvm commands that make it, in the place of lvcreate -l 50%FREE
    random_ids: bool = False  # of what lvm would not restore from an edited copy
    modules: str = ""  # of the device mapper, beside dm_mod
    force = ""  # of vgcfgrestore: what lvm warns of is that ids in a pool would not fit, and they stay

    @property
    def below(self):
        return (self.group,)

    @property
    def node(self):
        group, name = (word.replace("-", "--") for word in (self.group.name, self.name))
        return f"/dev/mapper/{group}-{name}"

    @property
    def make(self):
        group = self.group.name
        commands = self.layout or f"lvcreate -qq -l 50%FREE -n {self.name} {group}"
        lines = [f"lvm {command} || fail {command.split()[0]}"
                 for command in commands.strip().splitlines()]
        return "\n".join(lines + ([] if self.random_ids else [FIXED_IDS.format(group=group, force=self.force)]))


@dataclass(frozen=True)
class ThinVolume(Volume):
    """One that takes its blocks from the pool POOL of its group, with a snapshot of it."""

    pool: str = "pool"
    modules: str = "dm_thin_pool dm_snapshot"  # for which lvcreate -s asks first

    tool = "pdata_tools"
    force = "--force"

    @property
    def examine(self):
        """What the pool's own tool thinks of its metadata, for which it must not be in use."""
        group, metadata = self.group.name, f"{self.group.name}/{self.pool}_tmeta"
        return (f"lvm vgchange -qq -an {group} && lvm lvchange -qq -y -ay {metadata} || fail component\n"
                f"audit pdata_tools thin_check /dev/{metadata}\n"
                f"lvm lvchange -qq -an {metadata} && lvm vgchange -qq -ay {group} || fail vgchange")
