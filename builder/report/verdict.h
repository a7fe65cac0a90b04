// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the memory model says of an image, in the user's words.
#pragma once

#include <cstdint>
#include <string>

#include "builder/base/json.h"
#include "builder/base/result.h"

namespace kd {

// Bytes; a reservation of 0 is not known, and everything fits it.
[[nodiscard]] bool fits(std::uint64_t needed, std::uint64_t reservation);
[[nodiscard]] std::string fit_verdict(std::uint64_t needed, std::uint64_t reservation);

// ErrorKind::kDoesNotFit with the verdict.
[[nodiscard]] Result<void> require_fit(std::uint64_t needed, std::uint64_t reservation);

// The two figures and whether they fit (null: not known) with the verdict, for reports.
[[nodiscard]] Json fit_json(std::uint64_t needed, std::uint64_t reservation);

}  // namespace kd
