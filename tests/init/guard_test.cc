// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/guard.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

using ::testing::HasSubstr;

// The guard is a real process; only what it does to the machine are files. A guard that never acts
// fails at the alarm.
class GuardTest : public ::testing::Test {
 protected:
  GuardTest() {
    ::alarm(120);
    root.write("sysrq", "");
    root.write("log", "");
    // Not reboot(2): what the test is run on would restart.
    places.restart = [] { ::_exit(0); };
    places.sysrq = sysrq.c_str();
    places.log = log.c_str();
  }
  ~GuardTest() override {
    guard.stop();
    ::alarm(0);
  }
  static void wait_until(const std::function<bool()>& done) {
    while (!done()) ::usleep(20'000);
  }
  TemporaryDirectory root;
  std::string sysrq = root.path("sysrq"), log = root.path("log");
  GuardPlaces places;
  Guard guard;
};

TEST_F(GuardTest, HangEndsInAnEmergencyRestart) {
  ASSERT_EQ(guard.start(1, places), 0);
  wait_until([&] { return !root.read("sysrq").empty(); });
  EXPECT_EQ(root.read("sysrq"), "b");
  EXPECT_THAT(root.read("log"), HasSubstr("kdump: init hangs in the kernel"));
}

TEST_F(GuardTest, SignsOfLifeKeepItQuiet) {
  ASSERT_EQ(guard.start(2, places), 0);
  for (int i = 0; i < 70; ++i) {
    guard.touch();
    ::usleep(50'000);
  }
  EXPECT_EQ(root.read("sysrq"), "");
}

TEST_F(GuardTest, TimeoutCanBeChangedWhileItRuns) {
  ASSERT_EQ(guard.start(100'000, places), 0);
  guard.set_timeout(1);
  wait_until([&] { return !root.read("sysrq").empty(); });
  EXPECT_EQ(root.read("sysrq"), "b");
}

TEST_F(GuardTest, StoppedGuardDoesNothing) {
  ASSERT_EQ(guard.start(1, places), 0);
  guard.stop();
  ::usleep(2'500'000);
  EXPECT_EQ(root.read("sysrq"), "");
}

TEST_F(GuardTest, WithoutATimeoutThereIsNone) {
  ASSERT_EQ(guard.start(0, places), 0);
  guard.touch();
  guard.set_timeout(1);
  ::usleep(2'500'000);
  EXPECT_EQ(root.read("sysrq"), "");
}

TEST_F(GuardTest, WatchdogsAreAnsweredUntilInitHangs) {
  const std::string prefix = root.path("watchdog");
  places.watchdog = prefix.c_str();
  root.write("watchdog0", "");
  ASSERT_EQ(guard.start(4, places), 0);
  wait_until([&] { return root.read("watchdog0").size() >= 2; });
  root.write("watchdog1", "");  // its driver is loaded later
  wait_until([&] { return !root.read("watchdog1").empty(); });
  wait_until([&] { return !root.read("sysrq").empty(); });
  const std::string answers = root.read("watchdog0");
  EXPECT_EQ(answers.find_first_not_of('.'), std::string::npos) << "'V' would disarm it";
  ::usleep(2'500'000);
  EXPECT_EQ(root.read("watchdog0"), answers) << "it has to reset the machine";
}

TEST_F(GuardTest, StoppedGuardDisarmsWhatItArmed) {
  const std::string prefix = root.path("watchdog");
  places.watchdog = prefix.c_str();
  root.write("watchdog0", "");
  ASSERT_EQ(guard.start(100, places), 0);
  wait_until([&] { return !root.read("watchdog0").empty(); });
  guard.stop();
  EXPECT_TRUE(root.read("watchdog0").ends_with('V'));
}

TEST_F(GuardTest, FullConsoleDoesNotHoldIt) {
  // stderr of the guard is a pipe that nobody reads and that takes nothing more.
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  while (::write(ends[1], "x", 1) == 1) {
  }
  ASSERT_EQ(::fcntl(ends[1], F_SETFL, O_WRONLY), 0);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(ends[1], STDERR_FILENO);
  const int error = guard.start(1, places);
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  ASSERT_EQ(error, 0);
  wait_until([&] { return !root.read("sysrq").empty(); });
  EXPECT_EQ(root.read("sysrq"), "b");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(GuardTest, KernelWithoutSysrqRestartsByReboot) {
  static std::string mark;
  mark = root.path("restarted");
  places.sysrq = "/nowhere/sysrq-trigger";
  places.restart = [] {
    ::close(::open(mark.c_str(), O_CREAT | O_WRONLY, 0600));
    ::_exit(0);
  };
  ASSERT_EQ(guard.start(1, places), 0);
  wait_until([&] { return ::access(mark.c_str(), F_OK) == 0; });
}

}  // namespace
}  // namespace kdinit
