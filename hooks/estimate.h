// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which crashkernel= this machine should have, and why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hooks/context.h"

namespace kd {

// From the reports of kdump-mkinitrd --json for the layouts whole and packed. Pure.
Result<std::string> estimate_text(std::string_view whole, std::string_view packed);

// What to put into crashkernel= when `needed` bytes are predicted, both multiples of 1 MiB: an
// eighth more for devices nobody has measured, and up to the next 8 MiB.
std::uint64_t recommended_reservation(std::uint64_t needed);

Result<std::string> estimate(const Context& context);

}  // namespace kd
