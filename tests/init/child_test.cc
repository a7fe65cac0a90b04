// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <tuple>

#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

class CountingTicker final : public Ticker {
 public:
  void tick() override { ++ticks; }
  int ticks = 0;
};

class Child : public ::testing::Test {
 protected:
  void SetUp() override {
    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  }
  ChildResult shell(const std::string& script) {
    command.arguments.add("/bin/sh");
    command.arguments.add("-c");
    command.arguments.add(script);
    return run_child(command, ticker);
  }
  Command command;
  CountingTicker ticker;
};

std::string text_of(const ChildResult& result) {
  Text<160> text;
  result.describe(text);
  return std::string(text.view());
}

TEST_F(Child, SuccessIsExitCodeZero) {
  const ChildResult result = shell("exit 0");
  EXPECT_TRUE(result.ok());
  EXPECT_GT(result.max_rss, 0u);
}

TEST_F(Child, ExitCodeIsKept) {
  const ChildResult result = shell("exit 7");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(text_of(result), "ended with exit code 7");
}

TEST_F(Child, FileGetsNoLargerThanAllowedAndTheProgramIsToldSo) {
  TemporaryDirectory root;
  command.largest_file = 5000;
  // Not of a shell, which unblocks all signals: dd(1) ends with 1 for an error of write(2).
  for (const std::string& argument :
       {std::string("dd"), std::string("if=/dev/zero"), "of=" + root.path("file"),
        std::string("bs=9000"), std::string("count=1")}) {
    command.arguments.add(argument);
  }
  EXPECT_EQ(run_child(command, ticker).exit_code, 1);
  EXPECT_EQ(std::filesystem::file_size(root.path("file")), 5000u);
}

TEST_F(Child, SigkillIsExplainedAsLackOfMemory) {
  const ChildResult result = shell("kill -KILL $$");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_NE(text_of(result).find("crashkernel="), std::string::npos);
}

TEST_F(Child, MissingProgramIsAnErrnoAndNotAnExitCode) {
  command.arguments.add("/no/such/program");
  const ChildResult result = run_child(command, ticker);
  EXPECT_EQ(result.spawn_error, ENOENT);
  EXPECT_EQ(text_of(result), "cannot be started: No such file or directory");
}

TEST_F(Child, TooManyArgumentsAreNotRunCutOff) {
  for (int i = 0; i < 60; ++i) command.arguments.add("/bin/true");
  EXPECT_EQ(run_child(command, ticker).spawn_error, E2BIG);
}

TEST_F(Child, TooLongArgumentsAreNotRunCutOff) {
  command.arguments.add("/bin/true");
  command.arguments.add(std::string(5000, 'x'));
  EXPECT_EQ(run_child(command, ticker).spawn_error, E2BIG);
}

TEST_F(Child, GetsAFixedEnvironmentAndIsTheFirstForTheOomKiller) {
  const TemporaryDirectory root;
  ::setenv("LD_LIBRARY_PATH", "/nowhere", 1);
  EXPECT_TRUE(shell("{ env; cat /proc/self/oom_score_adj; readlink /proc/self/fd/0; } > " +
                    root.path("out"))
                  .ok());
  ::unsetenv("LD_LIBRARY_PATH");
  const std::string out = root.read("out");
  EXPECT_NE(out.find("TMPDIR=/tmp\n"), std::string::npos);
  EXPECT_EQ(out.find("LD_LIBRARY_PATH"), std::string::npos);
  EXPECT_NE(out.find("\n1000\n"), std::string::npos);
  EXPECT_NE(out.find("/dev/null"), std::string::npos);
}

TEST_F(Child, WithoutGrowthItIsEnded) {
  const TemporaryDirectory root;
  command.grows.put(root.path("file"));
  command.stall_timeout = 1;
  const ChildResult result = shell("echo x > " + root.path("file") + "; exec sleep 1000");
  EXPECT_TRUE(result.stalled);
  EXPECT_EQ(text_of(result), "was ended: no progress any more");
  EXPECT_GT(ticker.ticks, 0);
}

// /bin/sh with `script`, as a part of a pipeline that supervise() waits for.
pid_t start(const std::string& script) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

TEST_F(Child, FailureOfAnyPartOfAPipelineIsSeen) {
  for (const auto& [first, second, code] :
       {std::tuple{"exit 3", "exit 0", 3}, std::tuple{"exit 0", "sleep 0.3; exit 4", 4},
        std::tuple{"sleep 1; exit 5", "exit 6", 6}}) {
    pid_t pids[] = {start(first), start(second)};
    const ChildResult result = supervise(pids, 2, "", 0, ticker);
    EXPECT_EQ(result.exit_code, code) << "the first that failed is the cause";
    EXPECT_EQ(pids[0] + pids[1], 0) << "both have ended";
  }
}

TEST_F(Child, StalledPipelineIsEndedInAllItsParts) {
  const TemporaryDirectory root;
  pid_t pids[] = {start("exec sleep 1000"), start("exit 0"), start("exec sleep 1000")};
  const pid_t first = pids[0], last = pids[2];
  const ChildResult result = supervise(pids, 3, root.path("file").c_str(), 1, ticker);
  EXPECT_TRUE(result.stalled);
  EXPECT_EQ(result.signal, SIGKILL);
  for (const pid_t pid : {first, last}) EXPECT_EQ(::kill(pid, 0), -1) << pid;
}

TEST(ProgressWatch, CountsFromTheLastGrowth) {
  ProgressWatch watch(1000, 10);
  EXPECT_FALSE(watch.stalled(11000, 0));
  EXPECT_FALSE(watch.stalled(11001, 5));
  EXPECT_FALSE(watch.stalled(21001, 5));
  EXPECT_TRUE(watch.stalled(21002, 5));
}

}  // namespace
}  // namespace kdinit
