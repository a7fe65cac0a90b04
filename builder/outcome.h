// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace kd {

// Exit codes of answers; those of errors are the values of ErrorKind.
inline constexpr int kExitBootTestFailed = 6;
inline constexpr int kExitStale = 10;

struct Outcome {
  int exit_code = 0;
  std::string out;  // for stdout
};

}  // namespace kd
