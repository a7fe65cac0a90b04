// SPDX-License-Identifier: GPL-2.0-or-later
//
// A machine as a JSON record; the schema is in README.md of this folder.
#pragma once

#include <string>
#include <string_view>

#include "builder/base/result.h"
#include "builder/facts/machine.h"

namespace kd {

inline constexpr std::size_t kMaxMachineJson = 16u << 20;  // bytes; real records have some 10 KB

// Same facts, same bytes: members in schema order, two blanks of indentation, a final newline.
std::string machine_to_json(const MachineFacts& machine);

// Rejects unknown, missing and repeated members, wrong types, other schema versions, names that are
// no names and references to devices that are not there, naming the JSON path ("/devices/2/kind").
// Accepted facts may be trusted to be well formed, whoever wrote the text.
Result<MachineFacts> machine_from_json(std::string_view text);

}  // namespace kd
