// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/runner.h"

#include <gmock/gmock.h>

#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SystemRunner, KeepsArgumentsApartAndCapturesBothStreams) {
  SystemRunner runner;
  const auto outcome = runner.run({"/bin/sh", "-c", "printf '%s|' \"$@\"; echo err >&2; exit 7",
                                   "x", "a b", "$(reboot)", ";", ""});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->status, 7);
  EXPECT_EQ(outcome->output, "a b|$(reboot)|;||err\n");
}

TEST(SystemRunner, SignalsCountAsShellsCount) {
  EXPECT_EQ(SystemRunner().run({"/bin/sh", "-c", "kill -KILL $$"})->status, 137);
}

TEST(SystemRunner, MissingProgramIsAnError) {
  const auto outcome = SystemRunner().run({"/nowhere/program"});
  ASSERT_FALSE(outcome.has_value());
  EXPECT_THAT(outcome.error().message, HasSubstr("/nowhere/program"));
}

TEST(SystemRunner, EnvironmentOfTheCallerStaysOutside) {
  ::setenv("PATH", "/tmp/evil", 1);
  ::setenv("LD_AUDIT_X", "evil", 1);
  const auto outcome = SystemRunner().run({"/usr/bin/env"});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_THAT(outcome->output, Not(HasSubstr("evil")));
}

TEST(SystemRunner, FindsInTheFixedDirectories) {
  EXPECT_TRUE(SystemRunner().find("sh").has_value());
  EXPECT_FALSE(SystemRunner().find("no-such-program-at-all").has_value());
}

TEST(Pipeline, ConnectsAndWritesTheFile) {
  TemporaryDirectory directory;
  const auto status = run_pipeline({{"/bin/sh", "-c", "echo abc"}, {"/usr/bin/tr", "a-c", "A-C"}},
                                   directory.path("out"));
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(*status, 0);
  EXPECT_EQ(directory.read("out"), "ABC\n");
}

TEST(Pipeline, FailureOfAnyPartIsSeen) {
  TemporaryDirectory directory;
  EXPECT_EQ(run_pipeline({{"/bin/sh", "-c", "exit 3"}, {"/bin/cat"}}, directory.path("a")).value(),
            3);
  EXPECT_EQ(
      run_pipeline({{"/bin/sh", "-c", "exit 0"}, {"/bin/sh", "-c", "exit 4"}}, directory.path("b"))
          .value(),
      4);
}

TEST(Pipeline, ReaderThatDoesNotStartEndsTheWriter) {
  TemporaryDirectory directory;
  const auto status =
      run_pipeline({{"/bin/sh", "-c", "exec cat /dev/zero"}, {"/nowhere"}}, directory.path("out"));
  EXPECT_FALSE(status.has_value());
}

}  // namespace
}  // namespace kd
