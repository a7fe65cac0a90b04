// SPDX-License-Identifier: GPL-2.0-or-later
//
// What makes facts well formed, whoever wrote them. Names become parts of paths later.
#pragma once

#include <string>
#include <string_view>

#include "builder/facts/machine.h"

namespace kd {

enum class Check {
  kText,  // UTF-8 without control characters but tab
  kName,  // one path component
  kNameOrEmpty,
  kPath,     // absolute, without ".."
  kSysPath,  // "devices/...", below /sys, without ".."
  kUuid,     // letters, digits and -.:_, or empty
  kLvmId,    // 32 letters and digits in seven groups, as lvm prints them
};

// Why `value` is not acceptable, empty when it is.
std::string problem_of(std::string_view value, Check check);

// The same for names that refer to devices, with the JSON path in front: they must exist once, and
// nothing may be below itself.
std::string problem_of_references(const MachineFacts& machine);

}  // namespace kd
