// SPDX-License-Identifier: GPL-2.0-or-later
//
// How long a capture waits before it gives up. Pure.
#pragma once

#include <cstdint>

#include "builder/facts/kdump_config.h"
#include "builder/facts/machine.h"

namespace kd {

// Seconds until the device of `mount`, the target or the root, must be there:
// KDUMP_TARGET_TIMEOUT, or a figure for the slowest kind of hardware below it.
std::uint32_t target_timeout(const KdumpConfig& config, const MachineFacts& machine,
                             const DumpMount& mount);

// Seconds without progress until a program is ended or the machine restarted, 0: never.
// KDUMP_STALL_TIMEOUT, or a figure for `ram` bytes of the crashed kernel.
std::uint32_t stall_timeout(const KdumpConfig& config, std::uint64_t ram);

}  // namespace kd
