// SPDX-License-Identifier: GPL-2.0-or-later
//
// Logical volumes of LVM: what init would read of them at the crash, read beforehand.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "builder/base/rooted_reader.h"
#include "builder/facts/block_devices.h"

namespace kd {

// The ids in the uuid of a mapped device ("LVM-" and 64 characters). Nothing for other devices, and
// for those that lvm hides below a volume: it marks them by a suffix ("-real", "-tpool").
std::optional<LogicalVolume> volume_of_uuid(std::string_view uuid);

// Tells of every volume in `devices` how it lies on the disks below it, by init's own parser. The
// metadata that counts is the newest on those disks: init may have no driver for others of the
// group.
void read_volumes(const RootedReader& reader, DeviceMap& devices);

// Bytes that the pools have room for on which the device lies; no limit without any.
std::uint64_t pool_room(const MachineFacts& machine, std::string_view device);

}  // namespace kd
