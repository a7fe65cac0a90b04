// SPDX-License-Identifier: GPL-2.0-or-later
//
// Block devices as sysfs shows them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"
#include "builder/facts/machine.h"

namespace kd {

// By name, so that a walk that meets a device twice adds it once.
using DeviceMap = std::map<std::string, BlockDevice, std::less<>>;

// The name in /sys of the device behind a mount: by `number` ("MAJOR:MINOR"), else by `source`
// ("/dev/vda1", "/dev/root", "/dev/mapper/x", "UUID=..."). Empty when it is on no block device or
// sysfs does not know it. Btrfs has numbers of its own ("0:35"), there the source decides.
std::string find_block_device(const FileReader& reader, std::string_view number,
                              std::string_view source);

// Adds the device and everything below it. A device that sysfs does not know is left out.
void add_block_device(const FileReader& reader, const std::string& name, DeviceMap& devices);

// /sys/class/watchdog without those that are software and die with the kernel (softdog).
std::vector<Watchdog> find_watchdogs(const FileReader& reader);

// What the kernel tells of the mounted btrfs that `device` belongs to; nothing for others.
struct BtrfsFacts {
  std::string uuid;
  std::vector<std::string> devices;  // names, sorted
};
std::optional<BtrfsFacts> find_btrfs(const FileReader& reader, std::string_view device);

}  // namespace kd
