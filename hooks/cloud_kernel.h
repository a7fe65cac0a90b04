// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "builder/facts/machine.h"
#include "hooks/kernel_choice.h"

namespace kd {

// Says that Debian's cloud kernel, which takes less memory, has every driver on the way to the dump
// target; empty where it is not known to, or one is installed. What it would need here nobody knows
// before its files are there. Pure.
std::string cloud_kernel_hint(const MachineFacts& machine,
                              const std::vector<KernelCandidate>& candidates);

}  // namespace kd
