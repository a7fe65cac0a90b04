// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the kernel takes for layers between disks and file system, beside their modules.
#pragma once

#include <vector>

#include "builder/fit/term.h"
#include "builder/policy/way.h"

namespace kd {

// One for each kind that is there.
[[nodiscard]] std::vector<Term> layer_terms(const std::vector<RequiredLayer>& layers);

}  // namespace kd
