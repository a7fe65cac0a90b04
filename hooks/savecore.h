// SPDX-License-Identifier: GPL-2.0-or-later
//
// Saves /proc/vmcore in the real root, with the steps the init of our images has.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "builder/facts/kdump_config.h"
#include "builder/init/guard.h"
#include "hooks/context.h"

namespace kd {

struct SavePlaces {
  std::string vmcore = "/proc/vmcore";
  std::string root;  // in front of KDUMP_COREDIR; empty: the live machine
  // Seconds without growth of the file until the programs that write it are ended; 0: never. See
  // stall_timeout_for().
  std::uint32_t stall_timeout = 600;
  // Restarts the machine when a call into the kernel, as sync on a dead disk, takes that long. For
  // a capture kernel only.
  bool restart_when_stuck = false;
  kdinit::GuardPlaces guard = {};
};

// By KDUMP_STALL_TIMEOUT or the size of `vmcore`, which is that of the crashed kernel's memory.
std::uint32_t stall_timeout_for(const KdumpConfig& config, const std::string& vmcore);

// Saves dmesg.STAMP and dump.STAMP[.gz ...] below KDUMP_COREDIR and deletes old dumps as
// KDUMP_NUM_DUMPS wants. Where makedumpfile fails twice or is missing, the whole of /proc/vmcore
// becomes vmcore.STAMP, if there is space. An error when not even that was possible.
Result<void> savecore(const Context& context, const KdumpConfig& config,
                      const SavePlaces& places = {});

// reboot(2); returns errno when it did not work.
int reboot_now();

// After savecore in a capture kernel: reboots, or runs KDUMP_FAIL_CMD, which may decide otherwise.
// Returns whether that command succeeded; else it reboots, and a reboot that works never returns.
// One that hangs in a driver is ended by a guard, which outlives this function.
bool finish_capture(const Context& context, const KdumpConfig& config, bool saved,
                    const SavePlaces& places, const std::function<int()>& reboot = reboot_now);

}  // namespace kd
