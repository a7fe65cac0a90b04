// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the serial console of a boot test tells. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kd {

struct ConsoleReport {
  std::vector<std::string> lines;  // of init in the image: "4.688s start: ..."
  std::string report;              // its kdump-report.json; empty when it did not come so far
  std::string problem;             // the likeliest reason for not coming so far; may be empty
};

// Everything before the first kernel says that it panics is its own and not of interest, but for
// the reason why it cannot (builder/init/crash_main.cc).
ConsoleReport parse_console(std::string_view text);

}  // namespace kd
