// SPDX-License-Identifier: GPL-2.0-or-later
//
// What /sys/class/block tells of devices. A directory is that of one device in it.
#pragma once

#include <linux/dm-ioctl.h>

#include <cstdint>
#include <string_view>

#include "builder/init/directory.h"
#include "builder/init/text.h"

namespace kdinit {

// Where block devices are listed and opened; tests give their own directories.
struct DeviceDirectories {
  std::string_view sys_block = "/sys/class/block";
  std::string_view dev = "/dev";
};

// The first line of a file, empty when it cannot be read.
void read_line(const Path& path, TextBuffer& line);

// The number in such a file, 0 when there is none.
std::uint64_t read_number(const Path& path);

// "cciss!c0d0" is /dev/cciss/c0d0.
void put_device_path(std::string_view dev, std::string_view name, TextBuffer& out);

bool is_zero_sized(std::string_view directory);
bool has_partitions(std::string_view directory);

// The name of the disk that a partition is on; nothing for other devices.
void put_disk_of(std::string_view directory, TextBuffer& name);
// Whether a sector of a disk is one of a partition of it.
bool is_in_partition(std::string_view directory, std::uint64_t sector);

// Who has a device for himself: a disk that a logical volume lies on may be a part of another one.
// Not so what lvm made a volume of (the data of a pool, a leg of a raid1), which is of the same
// group and may show what is on the volume.
enum class Holders { kNone, kVolumes, kOthers };
Holders holders_of(std::string_view directory);

// Whether a device is made of the one with this number ("253:2"), by whatever lies in between.
bool lies_on(const DeviceDirectories& directories, std::string_view name, std::string_view number);

// Calls visit(uuid) with the dm/uuid of each mapped device, and an empty one for all others.
template <typename Visit>
void for_each_dm_uuid(const DeviceDirectories& directories, Visit&& visit) {
  for_each_entry(Path(directories.sys_block).c_str(), [&](const char* name) {
    Text<DM_UUID_LEN> uuid;
    read_line(Path(directories.sys_block, "/", name, "/dm/uuid"), uuid);
    visit(uuid.view());
  });
}
// Whether there is a device of the device mapper with this dm/uuid.
bool has_mapped_device(const DeviceDirectories& directories, std::string_view uuid);

}  // namespace kdinit
