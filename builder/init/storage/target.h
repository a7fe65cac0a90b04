// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds the block device of the target by what is on it, never by its name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/speaker.h"
#include "builder/init/storage/assembly.h"
#include "builder/init/text.h"

namespace kdinit {

struct TargetQuery {
  std::string_view type;
  std::string_view uuid;
  std::span<const Layer> layers;  // what lies between the disks and it, or the root
  std::uint32_t timeout = 0;      // seconds
};

struct Candidate {
  Text<80> device;              // "/dev/vda1"
  bool has_partitions = false;  // a whole disk with a partition table: rather an old superblock
  std::uint64_t member = 0;     // see Superblock
};

struct Candidates {
  Candidate items[kMaxMembers];
  std::size_t count = 0;
  std::uint64_t members = 0;  // that the file system has
  std::uint64_t missing = 0;  // of them, when another one is there
  Text<512> seen;      // every device looked at: "vda -, vda1 ext4 0123..., sda (No medium found)"
  Text<512> made;      // of layers, in all scans: "vg0-root, vg0-var"
  Text<512> problems;  // of layers, in the last scan
};

// Looks at every block device that has a size and no holder (a member of an md or dm device shows
// the file system too, and must not be mounted) and is no container of something else; makes the
// layers that are complete, and looks again as long as there is a new device. Devices without
// partitions come first. True when all members of the file system are there, each once.
// ticker.tick() is called before each device. `patient`: see Assembler::make().
bool scan_devices(const TargetQuery& query, const DeviceDirectories& directories, bool patient,
                  Assembly& assembly, Candidates& found, Ticker& ticker);

// Scans, and again at each uevent of a block device, until found or the time is over. In the second
// half of the time a layer needs no more than what it cannot do without, and at its end a file
// system one of its members; whether that is enough the kernel decides.
bool wait_for_target(const TargetQuery& query, Assembly& assembly, Candidates& found,
                     Ticker& ticker);

}  // namespace kdinit
