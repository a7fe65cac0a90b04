// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/console.h"

namespace kd {
namespace {

constexpr std::string_view kPanicsNow = "boot-test: panics now";
constexpr std::string_view kCannotPanic = "boot-test: failed: ";
constexpr std::string_view kInit = "kdump: ";
constexpr std::string_view kFailed = ": FAILED: ";
constexpr std::string_view kPanic = "Kernel panic - not syncing: ";
constexpr std::string_view kOurPanic = "sysrq triggered crash";

// What follows `mark`; other messages of the kernel may stand before it on the line.
std::string_view after(std::string_view line, std::string_view mark) {
  const std::size_t at = line.find(mark);
  return at == std::string_view::npos ? std::string_view() : line.substr(at + mark.size());
}

void take_line_of_capture(std::string_view line, ConsoleReport& result) {
  if (line.starts_with("{\"version\"")) {
    result.report = line;
    return;
  }
  std::string_view problem;
  if (const std::string_view said = after(line, kInit); !said.empty()) {
    result.lines.emplace_back(said);
    problem = after(said, kFailed);
  } else if (problem = after(line, kPanic); problem.starts_with(kOurPanic)) {
    return;
  }
  if (result.problem.empty()) result.problem = problem;
}

}  // namespace

ConsoleReport parse_console(std::string_view text) {
  ConsoleReport result;
  bool panicked = false;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (panicked) {
      take_line_of_capture(line, result);
    } else if (const std::string_view reason = after(line, kCannotPanic); !reason.empty()) {
      result.problem = reason;
    } else {
      panicked = line.find(kPanicsNow) != std::string_view::npos;
    }
  }
  if (!panicked && result.problem.empty()) result.problem = "the first kernel did not start";
  return result;
}

}  // namespace kd
