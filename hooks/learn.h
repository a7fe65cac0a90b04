// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the last capture told about memory, kept for kdump-mkinitrd, which predicts the next one.
#pragma once

#include <string>
#include <string_view>

#include "builder/facts/kdump_config.h"
#include "hooks/context.h"

namespace kd {

// Takes the newest report below KDUMP_COREDIR that is a measurement (builder/fit/measurement.h)
// into /var/lib/kdump/measured-VERSION.json, 0600, at once or not at all. Newer figures that are
// there stay. No report is no error.
Result<void> learn(const Context& context, const KdumpConfig& config);

// Where the memory figures for a kernel come from: "measured in a capture on 2026-11-23". A
// calibration counts when it is of `kernel_file` with this `command_line`.
std::string memory_source(const FileReader& reader, const KdumpConfig& config,
                          std::string_view version, std::string_view kernel_file = {},
                          std::string_view command_line = {});

}  // namespace kd
