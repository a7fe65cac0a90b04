// SPDX-License-Identifier: GPL-2.0-or-later
//
// kdump-mkinitrd from options to image, phase by phase.
#pragma once

#include "builder/base/result.h"
#include "builder/options.h"
#include "builder/outcome.h"

namespace kd {

// An error has the exit code as its kind.
Result<Outcome> build(const Options& options);

}  // namespace kd
