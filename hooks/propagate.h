// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "builder/facts/kdump_config.h"
#include "hooks/context.h"

namespace kd {

// Makes the key SSH_KEY when it does not exist and sends its public half to the host in SSH.
Result<void> propagate(const Context& context, const KdumpConfig& config);

}  // namespace kd
