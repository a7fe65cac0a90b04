// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/runner.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

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

// Waits for all; the statuses in the order of the pipeline.
std::vector<int> statuses(const std::vector<int>& pids) {
  std::vector<int> statuses;
  for (const int pid : pids) {
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    statuses.push_back(status);
  }
  return statuses;
}

TEST(Pipeline, ConnectsAndWritesTheFile) {
  TemporaryDirectory directory;
  const auto pids = start_pipeline({{"/bin/sh", "-c", "echo abc"}, {"/usr/bin/tr", "a-c", "A-C"}},
                                   directory.path("out"));
  ASSERT_TRUE(pids.has_value());
  EXPECT_THAT(statuses(*pids), testing::ElementsAre(0, 0));
  EXPECT_EQ(directory.read("out"), "ABC\n");
}

TEST(Pipeline, FileIsForRootAlone) {
  TemporaryDirectory directory;
  const auto pids = start_pipeline({{"/bin/true"}}, directory.path("out"));
  ASSERT_TRUE(pids.has_value());
  statuses(*pids);
  EXPECT_EQ(std::filesystem::status(directory.path("out")).permissions(),
            std::filesystem::perms(0600));
}

TEST(Pipeline, WhatDoesNotStartLeavesNoProcessBehind) {
  TemporaryDirectory directory;
  const std::string say_pid = "echo $$ >" + directory.path("pid") + "; exec cat /dev/zero";
  EXPECT_FALSE(start_pipeline({{"/bin/sh", "-c", say_pid}, {"/nowhere"}}, directory.path("out"))
                   .has_value());
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "there is no child, running or ended";
}

}  // namespace
}  // namespace kd
