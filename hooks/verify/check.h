// SPDX-License-Identifier: GPL-2.0-or-later
//
// What one step of a verification found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "hooks/verify/memory.h"

namespace kd::verify {

// Something a debugger would have liked to read.
struct Missing {
  Unread unread;
  std::string belongs_to;  // "task_struct of pid 17 (bash)"
};

struct Check {
  std::string name;         // "tasks"
  std::uint64_t count = 0;  // of what was read whole
  std::string detail;       // for people, empty when the count says it all
  // Why this could not be looked at; the dump may still be whole.
  std::string not_checked;
  std::uint64_t missing_count = 0;
  std::optional<Missing> first_missing;

  void miss(Unread unread, std::string belongs_to) {
    if (missing_count++ == 0) first_missing = Missing{std::move(unread), std::move(belongs_to)};
  }
};

// "page 0x12345 is not in the dump: task_struct of pid 17 (bash)"
std::string describe(const Missing& missing);

}  // namespace kd::verify
