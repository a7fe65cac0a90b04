// SPDX-License-Identifier: GPL-2.0-or-later
//
// What stands between a block device and the hardware, as far as the facts tell.
#pragma once

#include <string>
#include <string_view>

#include "builder/facts/machine.h"

namespace kd {

// The storage layer that keeps init from reaching a device, for a message ("an iSCSI disk", "a
// device mapper of type CRYPT"). Empty for partitions, for layers that init assembles, and for
// disks whose chain shows a driver that finds them by itself: those of a local controller,
// whatever its bus.
[[nodiscard]] std::string foreign_layer(const BlockDevice& device);

// Whether the drivers of a bus take what a controller has found ("scsi", "mmc"). They make the
// disk, and tell nothing about the controller.
[[nodiscard]] bool is_upper_bus(std::string_view subsystem);

}  // namespace kd
