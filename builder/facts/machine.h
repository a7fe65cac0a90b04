// SPDX-License-Identifier: GPL-2.0-or-later
//
// What we know of a machine, as plain data. The same struct comes from the live system, from a
// directory tree and from a recorded JSON file (schema: builder/facts/README.md).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kd {

inline constexpr int kMachineSchemaVersion = 2;

// One step of /sys/devices/... from a block device up to its bus root.
struct BusNode {
  std::string path;       // below /sys, e.g. "devices/pci0000:00/0000:00:04.0/virtio1"
  std::string subsystem;  // "virtio", "pci", "scsi", "block" ...; may be empty
  std::string modalias;   // may be empty
  std::string driver;     // name of the bound driver, may be empty
  std::string module;     // the driver's module, empty when builtin or none
  bool operator==(const BusNode&) const = default;
};

enum class BlockKind { kDisk, kPartition, kDeviceMapper, kMd, kLoop, kOther };

// A logical volume of LVM, as the metadata on its physical volumes describe it.
struct LogicalVolume {
  std::string group;  // id of the volume group, as lvm prints it
  std::string id;     // id of the volume, as lvm prints it
  // How its extents lie on physical volumes: "linear", "striped" or, of segments of both kinds,
  // "linear, striped"; "raid1"; "thin".
  std::string layout;
  // What init does not understand of it, or will not use; with a layout, what keeps it from that
  // now. Both are empty when nobody could read
  // the physical volumes.
  std::string problem;
  // Bytes that the pool of a thin one has room for, whatever the file system says. Not recorded: it
  // changes all the time.
  std::uint64_t room = std::numeric_limits<std::uint64_t>::max();
  bool operator==(const LogicalVolume&) const = default;
};

// A disk reached by several paths, or a partition on it, as dm-multipath and /sys show them.
struct MultipathDisk {
  std::string digest;           // of its identity, see kdinit::multipath::put_digest()
  std::uint64_t partition = 0;  // 0: the disk
  std::uint64_t paths = 0;      // of the disk
  std::string handler;          // what its paths are switched by ("alua"), see scsi_dh_*; or empty
  std::string problem;          // what init would not understand of it
  bool operator==(const MultipathDisk&) const = default;
};

// A disk of an array that init is to start it with.
struct ArrayMember {
  std::string device;  // name in /sys
  std::string id;      // see kdinit::md::MemberId
  bool operator==(const ArrayMember&) const = default;
};

// An array of md, as the superblocks of its members describe it.
struct Array {
  std::string metadata;     // "1.2", "0.90"; "external:..." of a firmware RAID
  std::string uuid;         // as mdadm prints it; empty when nobody could read the members
  std::uint64_t disks = 0;  // that it has when it is whole
  // Those in use, by their names. Spares and failed ones are below the device, but not here.
  std::vector<ArrayMember> members;
  std::string problem;  // what init does not understand of it, or will not start
  bool operator==(const Array&) const = default;
};

// A volume of LUKS, as its header describes it.
struct EncryptedVolume {
  std::string uuid;            // of the header
  std::string name;            // of the mapped device, for a root that looks for it
  std::string cipher;          // "aes-xts-plain64"; empty when nobody could read the header
  std::uint64_t key_size = 0;  // bytes of the volume key
  std::string problem;         // what init does not understand of it, or will not use
  bool operator==(const EncryptedVolume&) const = default;
};

struct BlockDevice {
  std::string name;  // as in /sys, where '!' stands for '/'; may differ after the crash
  BlockKind kind = BlockKind::kDisk;
  // Device mapper: the part of dm/uuid before the first '-' ("LVM", "CRYPT", "mpath"), empty
  // without a uuid. MD: md/level ("raid1"). NVMe over a network: the transport of its controller
  // ("tcp"). Others: empty.
  std::string layer;
  std::vector<std::string> below;  // names: the disk of a partition, the slaves of dm and md
  // Nearest first, the disk itself is the first node. Empty for partitions (their disk has it) and
  // for virtual devices. A multipath NVMe disk has the chains of all its controllers.
  std::vector<BusNode> chain;
  // Device mapper of type LVM, but for the parts that lvm makes a volume of.
  std::optional<LogicalVolume> volume;
  // Device mapper of type mpath, or of a partition on one.
  std::optional<MultipathDisk> multipath;
  std::optional<Array> array;  // MD
  // Device mapper of type CRYPT, when it is LUKS.
  std::optional<EncryptedVolume> encrypted;
  bool operator==(const BlockDevice&) const = default;
};

// A hardware watchdog with a driver. Whether it is armed is not recorded: a daemon of the machine
// may arm it after the image was built.
struct Watchdog {
  std::string name;            // "watchdog0"
  std::vector<BusNode> chain;  // nearest first, as that of a disk
  bool operator==(const Watchdog&) const = default;
};

// The mount that holds the dump directory (proc_pid_mountinfo(5)).
struct DumpMount {
  std::string mount_point;
  std::string root;     // the part of the file system mounted there: "/" or "/@rootfs"
  std::string fs_type;  // "ext4", "nfs4", "zfs" ...
  std::string source;   // as in mountinfo: "/dev/vda1", "server:/export"
  std::string options;  // per-mount and super options, comma separated
  std::string device;   // name of a member of MachineFacts::devices, empty when not on one
  std::string uuid;     // of the file system as libblkid prints it; empty when unknown
  // ext3/4: the UUID of a journal that lies on a device of its own; empty when it is inside.
  std::string journal;
  // All devices of a file system on more than one (btrfs), sorted; else empty.
  std::vector<std::string> members;
  // What the device seems to be besides: "linux_raid_member" ...; see FilesystemId::container.
  std::string container;
  bool operator==(const DumpMount&) const = default;
};

struct MachineFacts {
  std::string architecture;    // uname -m
  std::string dump_directory;  // the configured one, with links resolved: "/var/crash"
  DumpMount dump_mount;
  std::optional<DumpMount> root_mount;  // "/" when it is not dump_mount
  std::string usr_source;               // of a file system mounted at /usr, empty when / has it
  std::vector<BlockDevice> devices;  // dump_mount.device (and root's) and everything below, by name
  std::vector<Watchdog> watchdogs;   // by name; a record without this member has none
  std::uint64_t reservation = 0;     // bytes of crashkernel=, 0 for none
  std::uint64_t reservation_end = 0;  // address behind the last of it; 0: unknown
  std::uint64_t reservation_cma = 0;  // bytes of crashkernel=,cma, as usable_reservation() has it
  std::uint64_t ram = 0;              // bytes
  // Devices that every kernel of this machine makes objects of; 0: unknown.
  std::uint64_t pci_devices = 0;
  std::uint64_t acpi_devices = 0;
  std::vector<std::string> dma_limits;      // what may cost a capture bounce buffers (dma_limits.h)
  std::string disk_integrity;               // see read_disk_integrity(); empty: unknown
  std::string command_line;                 // /proc/cmdline without the newline
  std::vector<std::string> loaded_modules;  // names of /proc/modules, sorted
  std::string time_zone;  // POSIX TZ string from /etc/localtime, "UTC0" when unknown
  bool operator==(const MachineFacts&) const = default;
};

// nullptr when there is none of that name.
inline const BlockDevice* find_device(const MachineFacts& machine, std::string_view name) {
  const auto found = std::ranges::find(machine.devices, name, &BlockDevice::name);
  return found == machine.devices.end() ? nullptr : &*found;
}

}  // namespace kd
