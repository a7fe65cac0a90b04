// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds the block device of the target by what is on it, never by its name.
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/init/speaker.h"
#include "builder/init/text.h"

namespace kdinit {

struct TargetQuery {
  std::string_view type;
  std::string_view uuid;
  std::uint32_t timeout = 0;  // seconds
};

struct Candidate {
  Text<80> device;              // "/dev/vda1"
  bool has_partitions = false;  // a whole disk with a partition table: rather an old superblock
};

struct Candidates {
  Candidate items[8];
  std::size_t count = 0;
  Text<512> seen;  // every device looked at: "vda -, vda1 ext4 0123..., sda (No medium found)"
};

// Where block devices are listed and opened; tests give their own directories.
struct DeviceDirectories {
  std::string_view sys_block = "/sys/class/block";
  std::string_view dev = "/dev";
};

// Looks once at every block device that has a size and no holder (a member of an md or dm device
// shows the file system too, and must not be mounted). Devices without partitions come first.
// True when all members of the file system are there. ticker.tick() is called before each device.
bool scan_devices(const TargetQuery& query, const DeviceDirectories& directories, Candidates& found,
                  Ticker& ticker);

// Scans, and again at each uevent of a block device, until found or the time is over.
bool wait_for_target(const TargetQuery& query, Candidates& found, Ticker& ticker);

}  // namespace kdinit
