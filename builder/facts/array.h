// SPDX-License-Identifier: GPL-2.0-or-later
//
// Arrays of md: what init would read of them at the crash, read beforehand.
#pragma once

#include "builder/base/rooted_reader.h"
#include "builder/facts/block_devices.h"

namespace kd {

// Tells of every array in `devices` which of the disks below it are its members, by init's own
// parser and choice.
void read_arrays(const RootedReader& reader, DeviceMap& devices);

}  // namespace kd
