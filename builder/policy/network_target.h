// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "builder/base/result.h"
#include "builder/facts/kdump_config.h"

namespace kd {

// kTargetNotSupported when SSH=, NFS= or FTP= is set.
Result<void> refuse_network(const KdumpConfig& config);

}  // namespace kd
