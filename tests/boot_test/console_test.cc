// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/console.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kPanics =
    "kdump: not ours, it stands before the panic\r\n"
    "boot-test: panics now\r\n"
    "[    4.1] Kernel panic - not syncing: sysrq triggered crash\r\n";

TEST(Console, KeepsWhatInitSaidAndItsReport) {
  const ConsoleReport report = parse_console(std::string(kPanics) +
                                             "[    3.2] sd 0:0:0:0: noise\r\n"
                                             "[    3.3] kdump: 3.300s start: Linux\r\n"
                                             "kdump: 4.000s dump: saved\r\r\n"
                                             "{\"version\":1,\"result\":\"saved\"}\r\n"
                                             "reboot: Restarting system\r\n");
  EXPECT_THAT(report.lines, ElementsAre("3.300s start: Linux", "4.000s dump: saved"));
  EXPECT_EQ(report.report, "{\"version\":1,\"result\":\"saved\"}");
  EXPECT_EQ(report.problem, "");
}

TEST(Console, FirstFailureIsTheProblem) {
  const ConsoleReport report =
      parse_console(std::string(kPanics) +
                    "kdump: 3.300s target: FAILED: no device with ext4 1234\n"
                    "kdump: 3.400s root: FAILED: a later one\n");
  EXPECT_EQ(report.problem, "no device with ext4 1234");
}

TEST(Console, PanicOfTheCaptureKernelIsTheProblem) {
  const ConsoleReport report = parse_console(
      std::string(kPanics) +
      "[    1.0] Kernel panic - not syncing: System is deadlocked on memory\nno end of line");
  EXPECT_EQ(report.problem, "System is deadlocked on memory");
  EXPECT_THAT(report.report, IsEmpty());
}

TEST(Console, FirstKernelThatCannotPanicSaysWhy) {
  EXPECT_EQ(parse_console("boot-test: failed: kexec_file_load: Address not available\r\n").problem,
            "kexec_file_load: Address not available");
}

TEST(Console, SilenceMeansThatNothingStarted) {
  EXPECT_EQ(parse_console("").problem, "the first kernel did not start");
  EXPECT_EQ(parse_console("SeaBIOS\r\n").problem, "the first kernel did not start");
}

}  // namespace
}  // namespace kd
