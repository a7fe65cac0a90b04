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

// What makes facts well formed, whoever gathered them: names that are names, absolute paths, text
// in UTF-8 without control characters, references to devices that are there. A complaint starts
// with the JSON path ("/devices/2/kind").
Result<void> check_machine(const MachineFacts& machine);

// Same facts, same bytes: members in schema order, two blanks of indentation, a final newline.
std::string machine_to_json(const MachineFacts& machine);

// Rejects unknown, missing and repeated members, wrong types, other schema versions, naming the
// JSON path, and whatever check_machine() rejects. Accepted facts may be trusted to be well formed,
// whoever wrote the text.
Result<MachineFacts> machine_from_json(std::string_view text);

}  // namespace kd
