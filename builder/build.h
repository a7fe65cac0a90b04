// SPDX-License-Identifier: GPL-2.0-or-later
//
// kdump-mkinitrd from options to image, phase by phase.
#pragma once

#include <string>

#include "builder/options.h"

namespace kd {

inline constexpr int kExitBootTestFailed = 6;
inline constexpr int kExitStale = 10;

// Returns the exit code and writes the answer to `out`; an error has the exit code as its kind.
struct Outcome {
  int exit_code = 0;
  std::string out;
};
Result<Outcome> build(const Options& options);

}  // namespace kd
