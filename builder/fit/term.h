// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace kd {

// A part of the memory that something takes.
struct Term {
  std::string name;
  std::uint64_t bytes = 0;
  std::string source;  // where the number comes from
};

}  // namespace kd
