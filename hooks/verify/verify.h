// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table of contents of a verification, and what it comes to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"
#include "hooks/verify/check.h"

namespace kd::verify {

struct Verification {
  std::string dump;  // path
  std::uint64_t bytes = 0;
  std::string format, kernel;
  std::string unreadable;  // not a dump at all, or not any more
  std::vector<Check> checks;
};

// An error only when there is no such file or nothing to read it with.
Result<Verification> verify(const std::string& path);

// Exit codes of kdump-verify.
enum class Outcome { kWhole = 0, kDamaged = 1, kPartlyChecked = 3 };
// Pure, as what follows.
Outcome outcome(const Verification& verification);
std::string_view name_of(Outcome outcome);  // "whole", "damaged", "partly checked"
// One line, why it is not whole; empty when it is. What a walk missed comes before what the file
// misses: it says what the page belongs to.
std::string reason(const Verification& verification);
std::string to_text(const Verification& verification);
std::string to_json(const Verification& verification);

}  // namespace kd::verify
