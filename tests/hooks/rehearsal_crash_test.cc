// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/rehearsal_crash.h"

#include "builder/init/dump_directory.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kThisBoot = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";

ShutdownFacts ready() {
  return {.verb = "reboot", .begun = kThisBoot, .boot_id = kThisBoot, .loaded = true};
}

TEST(DecideCrash, OnlyARebootThatIsARehearsalCrashes) {
  EXPECT_TRUE(decide_crash(ready()).crash);
  for (const char* verb : {"poweroff", "halt", "kexec", "exit", "soft-reboot", ""}) {
    ShutdownFacts facts = ready();
    facts.verb = verb;
    EXPECT_FALSE(decide_crash(facts).crash) << verb;
    EXPECT_THAT(decide_crash(facts).why_not, HasSubstr(verb));
  }
}

TEST(DecideCrash, NothingIsSaidWhereNothingWasBegun) {
  ShutdownFacts facts = ready();
  facts.begun.clear();
  EXPECT_FALSE(decide_crash(facts).crash);
  EXPECT_THAT(decide_crash(facts).why_not, IsEmpty());
  facts.verb = "poweroff";
  EXPECT_THAT(decide_crash(facts).why_not, IsEmpty());
}

TEST(DecideCrash, AnotherBootDoesNotCrash) {
  ShutdownFacts facts = ready();
  facts.boot_id = "9b4e28ba-2fa1-11d2-883f-0016d3cca427";
  EXPECT_FALSE(decide_crash(facts).crash);
  EXPECT_THAT(decide_crash(facts).why_not, HasSubstr("another boot"));
  facts.boot_id.clear();
  EXPECT_FALSE(decide_crash(facts).crash) << "a /proc that cannot be read";
}

TEST(DecideCrash, WithoutAKdumpKernelNobodyCrashes) {
  ShutdownFacts facts = ready();
  facts.loaded = false;
  EXPECT_FALSE(decide_crash(facts).crash);
  EXPECT_THAT(decide_crash(facts).why_not, HasSubstr("no kdump kernel"));
}

class CrashForRehearsal : public testing::Test {
 protected:
  CrashForRehearsal() {
    machine.root.write("proc/sys/kernel/random/boot_id", std::string(kThisBoot) + "\n");
    machine.root.write("run/kdump/rehearsal", std::string(kThisBoot) + "\n");
    machine.root.write("proc/sysrq-trigger", "");
    machine.root.write("dev/kmsg", "");
    machine.set_loaded(true);
  }
  [[nodiscard]] std::string sysrq() const { return machine.root.read("proc/sysrq-trigger"); }
  [[nodiscard]] std::string log() const { return machine.root.read("dev/kmsg"); }
  [[nodiscard]] bool begun() const {
    return std::filesystem::exists(machine.root.path("run/kdump/rehearsal"));
  }
  FakeMachine machine;
};

TEST_F(CrashForRehearsal, MarksTheLogAndCrashesOnce) {
  // A crash does not come back; what comes back has failed.
  EXPECT_EQ(crash_for_rehearsal(machine.reader(), "reboot", 0), 1);
  EXPECT_EQ(sysrq(), "c");
  EXPECT_EQ(log(), fmt::format("<2>kdump-config: rehearsal {}: crashing on purpose\n"
                               "<2>kdump-config: rehearsal failed: the kernel did not crash\n",
                               kThisBoot));
  EXPECT_FALSE(begun());
  machine.root.write("proc/sysrq-trigger", "");
  EXPECT_EQ(crash_for_rehearsal(machine.reader(), "reboot", 0), 0);
  EXPECT_EQ(sysrq(), "") << "nothing is left that could crash it again";
}

TEST_F(CrashForRehearsal, DoesNothingButSayWhyAtAPoweroff) {
  EXPECT_EQ(crash_for_rehearsal(machine.reader(), "poweroff", 0), 1);
  EXPECT_EQ(sysrq(), "");
  EXPECT_THAT(log(), HasSubstr("rehearsal not shown: this is no reboot but poweroff"));
}

TEST_F(CrashForRehearsal, WithoutAMarkInTheLogTheDumpWouldPassForARealOne) {
  std::filesystem::remove(machine.root.path("dev/kmsg"));
  EXPECT_EQ(crash_for_rehearsal(machine.reader(), "reboot", 0), 1);
  EXPECT_EQ(sysrq(), "");
}

TEST_F(CrashForRehearsal, DoesNothingAtAllInAnOrdinaryReboot) {
  std::filesystem::remove(machine.root.path("run/kdump/rehearsal"));
  EXPECT_EQ(crash_for_rehearsal(machine.reader(), "reboot", 0), 0);
  EXPECT_EQ(sysrq(), "");
  EXPECT_EQ(log(), "");
}

}  // namespace
}  // namespace kd
