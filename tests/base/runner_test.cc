// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/runner.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <sstream>

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

bool go_on() { return false; }

TEST(Pipeline, ConnectsAndWritesTheFile) {
  TemporaryDirectory directory;
  const auto status = run_pipeline({{"/bin/sh", "-c", "echo abc"}, {"/usr/bin/tr", "a-c", "A-C"}},
                                   directory.path("out"), go_on);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(*status, 0);
  EXPECT_EQ(directory.read("out"), "ABC\n");
}

TEST(Pipeline, FailureOfAnyPartIsSeen) {
  TemporaryDirectory directory;
  EXPECT_EQ(
      run_pipeline({{"/bin/sh", "-c", "exit 3"}, {"/bin/cat"}}, directory.path("a"), go_on).value(),
      3);
  EXPECT_EQ(run_pipeline({{"/bin/sh", "-c", "exit 0"}, {"/bin/sh", "-c", "exit 4"}},
                         directory.path("b"), go_on)
                .value(),
            4);
}

TEST(Pipeline, ReaderThatDoesNotStartEndsTheWriter) {
  TemporaryDirectory directory;
  const auto status = run_pipeline({{"/bin/sh", "-c", "exec cat /dev/zero"}, {"/nowhere"}},
                                   directory.path("out"), go_on);
  EXPECT_FALSE(status.has_value());
}

TEST(Pipeline, GivingUpEndsEveryPart) {
  TemporaryDirectory directory;
  const std::string say_pid = "echo $$ >>" + directory.path("pids") + "; exec sleep 1000";
  const auto started = [&] {
    const std::string pids = directory.read("pids");
    return std::count(pids.begin(), pids.end(), '\n') == 2;
  };
  const auto status = run_pipeline({{"/bin/sh", "-c", say_pid}, {"/bin/sh", "-c", say_pid}},
                                   directory.path("out"), started);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(*status, 128 + SIGKILL);
  std::istringstream pids(directory.read("pids"));
  for (pid_t pid = 0; pids >> pid;) EXPECT_EQ(::kill(pid, 0), -1) << pid;
}

}  // namespace
}  // namespace kd
