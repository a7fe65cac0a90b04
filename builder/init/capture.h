// SPDX-License-Identifier: GPL-2.0-or-later
//
// The order of a capture: what is tried, what is tried next when it fails, and what is said.
#pragma once

#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/report.h"
#include "builder/init/system.h"

namespace kdinit {

struct Places {
  std::string_view mount_point = "/target";
  std::string_view vmcore = "/proc/vmcore";
  std::string_view temporary = "/tmp";
  std::string_view command_line = "/proc/cmdline";
};

// Runs every step and writes the report beside the dump. Never gives up early: whatever can still
// be saved is saved. `report.kernel` and the memory map are set by the caller. With capture rootfs
// only what the real root needs is done, and the result stays "unfinished".
void run_capture(const InitConfig& config, System& system, const Places& places, Report& report);

// What the configuration wants after this result.
FinalAction action_after(const InitConfig& config, Result result);

}  // namespace kdinit
