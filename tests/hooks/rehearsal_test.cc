// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/rehearsal.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using State = Rehearsal::State;

CaptureSetup setup() {
  return {.running = "6.1.0-56-amd64",
          .kernel = "11",
          .image = "22",
          .command_line = "33",
          .reservation = std::uint64_t{96} << 20,
          .target = "ext4 1234 at /"};
}

Rehearsal rehearsal(State state) {
  return {.state = state,
          .boot_id = "before",
          .date = "2026-11-28 13:05",
          .newest_run = "/var/crash/202601010000",
          .setup = setup(),
          .figures = {},
          .why = {},
          .run = {}};
}

std::string report(const std::string& result, const std::string& error = "") {
  return fmt::format(
      R"({{"version": 1, "result": "{}", "failed_step": "{}", "error": "{}", "dump_bytes": 2097152,
        "rehearsal": true, "steps": [
        {{"name": "modules", "start_ms": 2000, "end_ms": 2500, "lowest_available_kib": 40960}},
        {{"name": "dump", "start_ms": 3000, "end_ms": 5000, "lowest_available_kib": 20480}}]}})",
      result, error.empty() ? "" : "dump", error);
}

AfterReboot after(const std::string& text) {
  return {.boot_id = "after",
          .newest_run = "/var/crash/202611281307",
          .run = "/var/crash/rehearsal-202611281307",
          .report = text,
          .target = setup().target};
}
AfterReboot without_dump() {
  return {.boot_id = "after",
          .newest_run = "/var/crash/202601010000",
          .run = {},
          .report = {},
          .target = setup().target};
}

// ---- before

Readiness ready() {
  return {.reasons = {},
          .systemd = true,
          .shutdown_program = true,
          .sysrq = true,
          .kernel_log = "on",
          .saves_log = true,
          .loaded_by = "kexec -p -s",
          .would_load = {"kexec -p -s", "kexec -p -c"},
          .dump_bytes = 100,
          .space = 100,
          .directory = "/var/crash"};
}

TEST(RehearsalRefusals, AMachineThatIsReadyHasNone) {
  EXPECT_THAT(refusals(ready()), IsEmpty());
  Readiness other = ready();
  other.loaded_by = "kexec -p -c";
  EXPECT_THAT(refusals(other), IsEmpty());
}

TEST(RehearsalRefusals, EachIsNamedWithWhatToDo) {
  const auto refused = [](auto change) {
    Readiness readiness = ready();
    change(readiness);
    return refusals(readiness);
  };
  EXPECT_THAT(refused([](Readiness& r) { r.reasons = {"the image is stale"}; }),
              ElementsAre("the image is stale"));
  EXPECT_THAT(refused([](Readiness& r) { r.systemd = false; }), ElementsAre(HasSubstr("systemd")));
  EXPECT_THAT(refused([](Readiness& r) { r.shutdown_program = false; }),
              ElementsAre(HasSubstr("install kdump-mkinitrd again")));
  EXPECT_THAT(refused([](Readiness& r) { r.sysrq = false; }),
              ElementsAre(HasSubstr("CONFIG_MAGIC_SYSRQ")));
  EXPECT_THAT(refused([](Readiness& r) { r.kernel_log = "off"; }),
              ElementsAre(HasSubstr("printk.devkmsg=off")));
  EXPECT_THAT(refused([](Readiness& r) { r.saves_log = false; }),
              ElementsAre(HasSubstr("KDUMP_DUMP_DMESG=0")));
  EXPECT_THAT(refused([](Readiness& r) { r.loaded_by = "kexec -p of another time"; }),
              ElementsAre(HasSubstr("kdump-config reload")));
  EXPECT_THAT(refused([](Readiness& r) { r.space = 99; }),
              ElementsAre(HasSubstr("/var/crash has 0 MiB free")));
}

TEST(RehearsalRefusals, ADumpHasWhatIsTheKernels) {
  EXPECT_EQ(kernel_memory_in_use("MemTotal:        1000 kB\nMemFree:          500 kB\n"
                                 "Buffers:           10 kB\nCached:           100 kB\n"
                                 "SwapCached:          5 kB\nAnonPages:        200 kB\n"),
            185U * 1024);
  EXPECT_EQ(kernel_memory_in_use("MemTotal: 10 kB\nMemFree: 20 kB\n"), 0U);
  EXPECT_EQ(kernel_memory_in_use(""), 0U);
}

// ---- at the shutdown

AtShutdown shutdown() {
  return {.boot_id = "before",
          .rebooting = true,
          .loaded = true,
          .setup = setup(),
          .readiness = ready(),
          .problem = {}};
}

TEST(BeginRehearsal, InARebootOfTheSameMachine) {
  EXPECT_EQ(begin(rehearsal(State::kArmed), shutdown()).state, State::kBegun);
}

TEST(BeginRehearsal, NotWhenTheMachineIsStopped) {
  AtShutdown now = shutdown();
  now.rebooting = false;
  const Rehearsal ended = begin(rehearsal(State::kArmed), now);
  EXPECT_EQ(ended.state, State::kNotShown);
  EXPECT_THAT(ended.why, HasSubstr("not restarted with systemctl reboot"));
}

TEST(BeginRehearsal, NotWithoutAKdumpKernel) {
  AtShutdown now = shutdown();
  now.loaded = false;
  EXPECT_EQ(begin(rehearsal(State::kArmed), now).state, State::kNotShown);
}

TEST(BeginRehearsal, NotWithAnotherImageThanTheOneThatWasArmed) {
  AtShutdown now = shutdown();
  now.setup.image = "99";
  const Rehearsal ended = begin(rehearsal(State::kArmed), now);
  EXPECT_EQ(ended.state, State::kNotShown);
  EXPECT_THAT(ended.why, HasSubstr("the image is another one"));
}

// Between arming and the reboot a disk may fill up.
TEST(BeginRehearsal, NotWhereItWouldBeRefusedNow) {
  AtShutdown now = shutdown();
  now.readiness.space = 99;
  now.readiness.kernel_log = "off";
  const Rehearsal ended = begin(rehearsal(State::kArmed), now);
  EXPECT_EQ(ended.state, State::kNotShown);
  EXPECT_THAT(ended.why,
              AllOf(HasSubstr("printk.devkmsg=off"), HasSubstr("; /var/crash has 0 MiB")));
}

TEST(BeginRehearsal, NotWhenNobodyKnowsWhatWouldBeLoaded) {
  AtShutdown now = shutdown();
  now.problem = "no kernel with an image";
  const Rehearsal ended = begin(rehearsal(State::kArmed), now);
  EXPECT_EQ(ended.state, State::kNotShown);
  EXPECT_EQ(ended.why, now.problem);
}

TEST(BeginRehearsal, OnlyWhatIsArmedForThisBoot) {
  AtShutdown now = shutdown();
  now.boot_id = "a later one";
  EXPECT_EQ(begin(rehearsal(State::kArmed), now), rehearsal(State::kArmed));
  for (const State state : {State::kBegun, State::kSaved, State::kPassed, State::kFailed}) {
    EXPECT_EQ(begin(rehearsal(state), shutdown()), rehearsal(state));
  }
}

// ---- after it

TEST(SettleRehearsal, TheBootThatArmedItWaits) {
  AfterReboot now = without_dump();
  now.boot_id = "before";
  EXPECT_EQ(settle(rehearsal(State::kArmed), now), rehearsal(State::kArmed));
  EXPECT_EQ(settle(rehearsal(State::kBegun), now), rehearsal(State::kBegun));
}

TEST(SettleRehearsal, ADumpHasToBeReadYet) {
  const Rehearsal settled = settle(rehearsal(State::kBegun), after(report("saved")));
  EXPECT_EQ(settled.state, State::kSaved);
  EXPECT_EQ(settled.run, "/var/crash/rehearsal-202611281307");
  EXPECT_EQ(settled.figures.milliseconds, 5000U);
  EXPECT_EQ(settled.figures.dump_bytes, 2097152U);
  EXPECT_THAT(settled.figures.steps,
              ElementsAre(CaptureStep{"modules", 500, 40960}, CaptureStep{"dump", 2000, 20480}));
}

TEST(SettleRehearsal, WithoutADumpItFailed) {
  const Rehearsal settled = settle(rehearsal(State::kBegun), without_dump());
  EXPECT_EQ(settled.state, State::kFailed);
  EXPECT_THAT(settled.why, AllOf(HasSubstr("nothing was saved, no dump was found"),
                                 HasSubstr("did not crash, lost power"), HasSubstr("console"),
                                 Not(HasSubstr("not of a rehearsal"))));
}

TEST(SettleRehearsal, WhatNeverBeganHasShownNothing) {
  EXPECT_EQ(settle(rehearsal(State::kArmed), without_dump()).state, State::kNotShown);
}

// Between arming and the shutdown, or while that was going on.
TEST(SettleRehearsal, ARealCrashIsNoRehearsal) {
  AfterReboot now = without_dump();
  now.newest_run = "/var/crash/202611281306";
  for (const State state : {State::kArmed, State::kBegun}) {
    const Rehearsal settled = settle(rehearsal(state), now);
    EXPECT_THAT(settled.why,
                HasSubstr("/var/crash/202611281306 was saved since, and is not of a rehearsal"));
    EXPECT_EQ(settled.run, "");
  }
}

TEST(SettleRehearsal, ACaptureThatWasCutOffHasShownNothing) {
  const Rehearsal settled = settle(rehearsal(State::kBegun), after(report("unfinished")));
  EXPECT_EQ(settled.state, State::kNotShown);
  EXPECT_THAT(settled.why, HasSubstr("was cut off after step dump by a loss of power"));
  for (const char* text : {"", "{", "[]", R"({"result": "saved"})"}) {
    EXPECT_EQ(settle(rehearsal(State::kBegun), after(text)).state, State::kNotShown) << text;
  }
}

TEST(SettleRehearsal, APartOfADumpIsAFailure) {
  for (const char* result : {"incomplete", "dmesg-only", "failed"}) {
    const Rehearsal settled =
        settle(rehearsal(State::kBegun), after(report(result, "makedumpfile was killed")));
    EXPECT_EQ(settled.state, State::kFailed);
    EXPECT_THAT(settled.why, AllOf(HasSubstr(result), HasSubstr("dump: makedumpfile was killed")));
  }
}

TEST(SettleRehearsal, ADumpOnAnotherDiskIsAFailure) {
  AfterReboot now = after(report("saved"));
  now.target = "ext4 9999 at /";
  const Rehearsal settled = settle(rehearsal(State::kBegun), now);
  EXPECT_EQ(settled.state, State::kFailed);
  EXPECT_THAT(settled.why, HasSubstr("is on ext4 9999 at / and was meant for ext4 1234 at /"));
}

TEST(JudgeRehearsal, AWholeDumpPasses) {
  const Rehearsal saved = settle(rehearsal(State::kBegun), after(report("saved")));
  EXPECT_EQ(judge(saved, "whole", "").state, State::kPassed);
  EXPECT_EQ(judge(saved, "partly checked", "tasks not checked: no BTF").state, State::kPassed);
  EXPECT_EQ(judge(saved, "partly checked", "tasks not checked: no BTF").why,
            "tasks not checked: no BTF");
}

TEST(JudgeRehearsal, ADamagedOneFails) {
  const Rehearsal saved = settle(rehearsal(State::kBegun), after(report("saved")));
  EXPECT_EQ(judge(saved, "damaged", "page 0x5").state, State::kFailed);
  EXPECT_EQ(judge(saved, "damaged", "page 0x5").why, "the dump is damaged: page 0x5");
  EXPECT_EQ(judge(saved, "", "there is no dump").why, "the dump is not readable: there is no dump");
  EXPECT_EQ(judge(rehearsal(State::kFailed), "whole", ""), rehearsal(State::kFailed));
}

TEST(JudgeRehearsal, ASecondTryIsTold) {
  const Rehearsal saved =
      settle(rehearsal(State::kBegun), after(report("saved-with-retry", "out of memory")));
  const Rehearsal passed = judge(saved, "whole", "");
  EXPECT_EQ(passed.state, State::kPassed);
  EXPECT_THAT(describe(passed, "after", setup()), HasSubstr("; dump: out of memory"));
}

// ---- words

Rehearsal passed() {
  return judge(settle(rehearsal(State::kBegun), after(report("saved"))), "whole", "");
}

TEST(DescribeRehearsal, SaysWhenAndWhatWasSeen) {
  EXPECT_EQ(describe(passed(), "after", setup()),
            "rehearsed on 2026-11-28 13:05 with this kernel and image: dump whole, 2048 KiB saved "
            "in 5.0 s, 20 MiB were left at the least (step dump)");
  EXPECT_TRUE(counts(passed(), setup()));
}

TEST(DescribeRehearsal, SaysWhyItNoLongerCounts) {
  const auto changed = [](auto change) {
    CaptureSetup now = setup();
    change(now);
    EXPECT_FALSE(counts(passed(), now));
    return describe(passed(), "after", now);
  };
  const auto says = [](const std::string& why) {
    return StartsWith("rehearsed on 2026-11-28 13:05, which no longer counts: " + why);
  };
  EXPECT_THAT(changed([](CaptureSetup& s) { s.running = "6.1.0-57-amd64"; }),
              says("kernel 6.1.0-56-amd64 was rehearsed, 6.1.0-57-amd64 runs"));
  EXPECT_THAT(changed([](CaptureSetup& s) { s.kernel = "x"; }),
              says("the capture kernel is another"));
  EXPECT_THAT(changed([](CaptureSetup& s) { s.image = "x"; }), says("the image is another one"));
  EXPECT_THAT(changed([](CaptureSetup& s) { s.command_line = "x"; }),
              says("the command line of the"));
  EXPECT_THAT(changed([](CaptureSetup& s) { s.reservation >>= 1; }),
              says("the reservation was 96 MiB and is 48 MiB"));
  EXPECT_THAT(changed([](CaptureSetup& s) { s.target = "xfs 5 at /"; }),
              says("the target was ext4 1234"));
  EXPECT_THAT(describe(passed(), "after", std::nullopt), says("it is not known"));
}

TEST(DescribeRehearsal, SaysHowToGoOn) {
  EXPECT_THAT(announcement(rehearsal(State::kArmed), "/var/crash"),
              AllOf(HasSubstr("systemctl reboot"), HasSubstr("/var/crash (ext4 1234 at /)"),
                    HasSubstr("rehearse --cancel"), HasSubstr("poweroff")));
  EXPECT_THAT(describe(rehearsal(State::kArmed), "before", setup()), StartsWith("armed on"));
  EXPECT_THAT(describe(rehearsal(State::kArmed), "after", setup()),
              HasSubstr("kdump-config load does it"));
  EXPECT_THAT(describe(settle(rehearsal(State::kBegun), without_dump()), "after", setup()),
              StartsWith("of 2026-11-28 13:05 FAILED: nothing was saved"));
  EXPECT_THAT(describe(settle(rehearsal(State::kBegun), after(report("failed", "no disk"))),
                       "after", setup()),
              HasSubstr("; see /var/crash/rehearsal-202611281307"));
}

// ---- the record

TEST(RehearsalRecord, ComesBackAsItWas) {
  for (const Rehearsal& each :
       {rehearsal(State::kArmed), passed(), settle(rehearsal(State::kBegun), without_dump()),
        settle(rehearsal(State::kBegun), after(report("saved"))),
        settle(rehearsal(State::kArmed), without_dump()), rehearsal(State::kBegun)}) {
    const Result<Rehearsal> read = rehearsal_from_json(rehearsal_to_json(each));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, each);
  }
}

TEST(RehearsalRecord, AnythingElseIsRefused) {
  const std::string text = rehearsal_to_json(passed());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    return changed.replace(changed.find(from), from.size(), to);
  };
  EXPECT_FALSE(rehearsal_from_json(""));
  EXPECT_FALSE(rehearsal_from_json("{}"));
  EXPECT_FALSE(rehearsal_from_json(text.substr(0, text.size() / 2)));
  EXPECT_FALSE(rehearsal_from_json(with("\"passed\"", "\"great\"")));
  EXPECT_FALSE(rehearsal_from_json(with("\"version\": 1", "\"version\": 2")));
  EXPECT_FALSE(rehearsal_from_json(with("\"reservation\"", "\"reserved\"")));
}

}  // namespace
}  // namespace kd
