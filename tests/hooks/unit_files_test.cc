// SPDX-License-Identifier: GPL-2.0-or-later
//
// The shipped units, their times judged by systemd-analyze(1).
#include <gmock/gmock.h>

#include <charconv>
#include <fstream>

#include "builder/base/runner.h"

namespace kd {
namespace {

// The last value of KEY= in a unit of hooks/; empty without one.
std::string setting(const std::string& unit, const std::string& key) {
  std::ifstream file(KD_SOURCE_DIR "/hooks/" + unit);
  std::string value;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + "=")) value = line.substr(key.size() + 1);
  }
  return value;
}

// Seconds of a span of time as systemd reads it; "infinity" is more than any limit.
std::uint64_t seconds(SystemRunner& runner, const std::string& span) {
  const Result<ProgramOutcome> outcome =
      runner.run({runner.find("systemd-analyze").value(), "timespan", span});
  if (!outcome || outcome->status != 0) return UINT64_MAX;
  constexpr std::string_view kMicroseconds = "s: ";  // the letter before it depends on the locale
  const std::size_t at = outcome->output.find(kMicroseconds);
  std::uint64_t number = UINT64_MAX;
  if (at != std::string::npos) {
    const char* first = outcome->output.data() + at + kMicroseconds.size();
    std::from_chars(first, outcome->output.data() + outcome->output.size(), number);
  }
  return number == UINT64_MAX ? number : number / 1'000'000;
}

// A service of type oneshot may start for ever by default (systemd.service(5)), and basic.target
// waits for this one.
TEST(UnitFiles, TheLoadCannotHoldTheBootForEver) {
  SystemRunner runner;
  if (!runner.find("systemd-analyze")) GTEST_SKIP() << "no systemd here";
  ASSERT_EQ(setting("kdump-tools.service", "Type"), "oneshot");
  ASSERT_EQ(setting("kdump-tools.service", "Before"), "basic.target");
  const std::uint64_t limit = seconds(runner, setting("kdump-tools.service", "TimeoutStartSec"));
  EXPECT_LE(limit, 3600U);
  EXPECT_GE(limit, 600U) << "twice what mkinitramfs was seen to need";
}

// The capture by the real root ends with a restart, also when a file system never comes.
TEST(UnitFiles, TheDumpDoesNotWaitForFileSystemsForEver) {
  SystemRunner runner;
  if (!runner.find("systemd-analyze")) GTEST_SKIP() << "no systemd here";
  EXPECT_LE(seconds(runner, setting("kdump-tools-dump.service", "JobTimeoutSec")), 7200U);
  EXPECT_EQ(setting("kdump-tools-dump.service", "JobTimeoutAction"), "reboot-force");
  EXPECT_EQ(setting("kdump-tools-dump.service", "FailureAction"), "reboot-force");
}

}  // namespace
}  // namespace kd
