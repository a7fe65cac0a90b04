// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/console.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <string>

#include "builder/base/fd.h"
#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

// A test that waits for ever fails here and not at the time limit of the test runner.
constexpr unsigned kSeconds = 60;

class ConsoleTest : public ::testing::Test {
 protected:
  ConsoleTest() {
    ::alarm(kSeconds);
    root.write("kmsg", "");
  }
  ~ConsoleTest() override { ::alarm(0); }
  void open_pipe(int flags) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, flags), 0);
    read_end = kd::Fd(ends[0]);
    write_end = kd::Fd(ends[1]);
  }
  // A chroot of a package build may have no devpts.
  static bool terminals_exist() { return kd::Fd(::posix_openpt(O_RDWR | O_NOCTTY)).valid(); }
  // A terminal whose master nobody reads.
  void open_terminal() {
    read_end = kd::Fd(::posix_openpt(O_RDWR | O_NOCTTY));
    ASSERT_EQ(::grantpt(read_end.get()), 0);
    ASSERT_EQ(::unlockpt(read_end.get()), 0);
    write_end = kd::Fd(::open(::ptsname(read_end.get()), O_RDWR | O_NOCTTY | O_NONBLOCK));
    ASSERT_TRUE(write_end.valid());
  }
  void fill() {
    const std::string block(512, 'x');
    while (write_within(write_end.get(), block, 100)) {
    }
  }
  [[nodiscard]] std::string logged() const { return root.read("kmsg"); }
  TemporaryDirectory root;
  kd::Fd read_end, write_end;
};

TEST_F(ConsoleTest, WhatIsReadIsWrittenWhole) {
  open_pipe(0);
  ASSERT_TRUE(write_within(write_end.get(), "kdump: 1.000s end: reboot\n", 0));
  char text[64];
  const auto size = ::read(read_end.get(), text, sizeof text);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(size)), "kdump: 1.000s end: reboot\n");
}

TEST_F(ConsoleTest, FullPipeIsGivenUp) {
  for (const int flags : {0, O_NONBLOCK}) {
    open_pipe(flags);
    fill();
    EXPECT_FALSE(write_within(write_end.get(), "more", 20));
  }
}

TEST_F(ConsoleTest, TerminalWithoutAReaderIsGivenUp) {
  if (!terminals_exist()) GTEST_SKIP() << "no pseudo-terminals here";
  open_terminal();
  fill();
  EXPECT_FALSE(write_within(write_end.get(), "more", 20));
}

TEST_F(ConsoleTest, TerminalThatWasStoppedIsGivenUp) {
  if (!terminals_exist()) GTEST_SKIP() << "no pseudo-terminals here";
  open_terminal();
  ASSERT_EQ(::tcflow(write_end.get(), TCOOFF), 0);
  EXPECT_FALSE(write_within(write_end.get(), std::string(std::size_t{1} << 20, 'x'), 20));
}

TEST_F(ConsoleTest, MissingConsoleIsNoReasonToWait) {
  EXPECT_FALSE(write_within(-1, "text", 0));
  open_pipe(0);
  read_end.reset();
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_FALSE(write_within(write_end.get(), "text", 1'000'000));
}

TEST_F(ConsoleTest, WhatTheConsoleDoesNotTakeGoesToTheLogOfTheKernel) {
  open_pipe(O_NONBLOCK);
  fill();
  Console console(write_end.get(), 100);
  const std::string log = root.path("kmsg");
  console.print("first", log.c_str());
  EXPECT_EQ(logged(), "first");
  // The one wait is over: a thousand would be beyond the limit of this test.
  for (int i = 0; i < 1000; ++i) console.print(".", log.c_str());
  EXPECT_EQ(logged(), "first" + std::string(1000, '.'));
  console.print("\n", log.c_str());
  EXPECT_EQ(logged().back(), '.') << "each record is a line of its own";
}

TEST_F(ConsoleTest, ConsoleThatIsReadAgainIsUsedAgain) {
  open_pipe(O_NONBLOCK);
  fill();
  Console console(write_end.get(), 100);
  const std::string log = root.path("kmsg");
  console.print("lost", log.c_str());
  std::string drained(std::size_t{1} << 20, '\0');
  ASSERT_GT(::read(read_end.get(), drained.data(), drained.size()), 0);
  console.print("seen", log.c_str());
  const auto size = ::read(read_end.get(), drained.data(), drained.size());
  EXPECT_EQ(drained.substr(0, static_cast<std::size_t>(size)), "seen");
  EXPECT_EQ(logged(), "lost");
}

}  // namespace
}  // namespace kdinit
