// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/wait.h>

#include <thread>

#include "hooks/load.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

// Runs `act` in two processes at once; kexec notes when it starts and ends.
std::string journal_of_two(FakeMachine& machine, const std::function<Result<void>()>& act) {
  const std::string journal = machine.root.path("journal");
  machine.runner.programs["kexec"] = [&](const std::vector<std::string>&) {
    std::ofstream(journal, std::ios::app) << "(";
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    machine.set_loaded(true);
    std::ofstream(journal, std::ios::app) << ")";
    return ProgramOutcome{};
  };
  pid_t children[2];
  for (pid_t& child : children) {
    child = ::fork();
    if (child == 0) ::_exit(act() ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  return machine.root.read("journal");
}

TEST(Lock, TwoLoadsAtOnceLoadOnce) {
  FakeMachine machine;
  EXPECT_EQ(journal_of_two(machine, [&] { return load(machine.context()); }), "()");
}

TEST(Lock, TwoReloadsAtOnceTakeTurns) {
  FakeMachine machine;
  EXPECT_EQ(journal_of_two(machine, [&] { return reload(machine.context()); }), "()()");
}

TEST(Lock, HookAndReloadTakeTurns) {
  FakeMachine machine;
  const std::string journal = machine.root.path("journal");
  machine.runner.programs["kdump-mkinitrd"] = [&](const std::vector<std::string>& argv) {
    std::ofstream(journal, std::ios::app) << "[";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    machine.add_image(argv.back());
    std::ofstream(journal, std::ios::app) << "]";
    return ProgramOutcome{};
  };
  const std::string text = journal_of_two(machine, [&]() -> Result<void> {
    KD_CHECK(build(machine.context(), {.installed = kRunning}));
    return reload(machine.context());
  });
  // Two builds by the hook, two by reload with its kexec; nothing inside something else.
  EXPECT_THAT(text, testing::MatchesRegex("(\\[\\]|\\(\\))*"));
  EXPECT_EQ(text.size(), 12U);
}

}  // namespace
}  // namespace kd
