// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a capture does when the dump fails, fills its target or meets a disk that stalls.
#include "tests/init/capture_fixture.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

TEST_F(CaptureTest, FailedDumpIsTriedOnceMoreWithTheRetryArguments) {
  system.dump_results = {exit_code(1)};
  run();
  ASSERT_THAT(system.commands, SizeIs(3));
  EXPECT_THAT(system.commands[2], StartsWith("makedumpfile -d "));
  EXPECT_EQ(report.result, Result::kSavedWithRetry);
  EXPECT_EQ(saved_report()["failed_step"], "dump");
  EXPECT_EQ(saved_report()["error"], "makedumpfile ended with exit code 1");
  EXPECT_EQ(action_after(config, report.result), FinalAction::kPoweroff);
}

TEST_F(CaptureTest, TwoFailedDumpsThatWroteNothingLeaveTheLog) {
  system.dump_results = {exit_code(1), exit_code(1)};
  system.outputs = {"", ""};
  run();
  EXPECT_EQ(report.result, Result::kDmesgOnly);
  EXPECT_TRUE(std::filesystem::exists(root.path(in_run("dmesg.202401020304"))));
  EXPECT_FALSE(std::filesystem::exists(root.path(in_run("dump.202401020304"))));
  EXPECT_EQ(saved_report()["result"], "dmesg-only");
  EXPECT_EQ(action_after(config, report.result), FinalAction::kHalt);
}

TEST_F(CaptureTest, EveryFailureIsInTheReport) {
  system.dmesg_result = exit_code(2);
  system.dump_results = {exit_code(3), exit_code(4)};
  run();
  const nlohmann::json failures = saved_report()["failures"];
  ASSERT_EQ(failures.size(), 3u);
  EXPECT_EQ(failures[0]["step"], "dmesg");
  EXPECT_EQ(failures[1]["error"], "makedumpfile ended with exit code 3");
  EXPECT_EQ(failures[2]["error"], "makedumpfile ended with exit code 4");
}

TEST_F(CaptureTest, WhatAFailedDumpHasWrittenIsKept) {
  system.dump_results = {exit_code(1), exit_code(1)};
  system.outputs = {"pages of the first", "pages"};
  run();
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_THAT(names_in_run(),
              UnorderedElementsAre("dmesg.202401020304", "dump-incomplete", "kdump-report.json"));
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "pages of the first") << "the larger of both";
  EXPECT_EQ(saved_report()["incomplete_bytes"], 18);
  EXPECT_EQ(saved_report()["dump_file"], "");
  EXPECT_EQ(action_after(config, report.result), FinalAction::kHalt);
}

TEST_F(CaptureTest, SecondTryThatSavesLeavesNothingOfTheFirst) {
  system.dump_results = {exit_code(1)};
  system.outputs = {"pages of the first", "whole"};
  run();
  EXPECT_EQ(report.result, Result::kSavedWithRetry);
  EXPECT_THAT(names_in_run(),
              UnorderedElementsAre("dmesg.202401020304", "dump.202401020304", "kdump-report.json"));
  EXPECT_EQ(root.read(in_run("dump.202401020304")), "whole");
}

TEST_F(CaptureTest, DiskThatStallsIsNotWrittenToAnyMore) {
  ChildResult stalled;
  stalled.stalled = true;
  stalled.signal = 9;
  system.dump_results = {stalled};
  system.on_run = [this](const std::string& output) {
    if (output.ends_with("dump-incomplete")) before_stall = saved_report();
  };
  run();
  EXPECT_THAT(system.commands, SizeIs(2)) << "no second try";
  EXPECT_EQ(system.full_asked, 0) << "it would write to the disk";
  EXPECT_EQ(saved_report(), before_stall);
  EXPECT_EQ(system.unmounts, 0) << "it would wait for the disk";
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "line 1\nline 2\n");
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_THAT(system.console, HasSubstr("does not answer, here is kdump-report.json"));
  EXPECT_THAT(system.console, HasSubstr("\"result\": \"incomplete\""));
}

TEST_F(CaptureTest, DiskThatStallsWithTheLogGetsNoDump) {
  system.dmesg_result.stalled = true;
  run();
  EXPECT_THAT(system.commands, SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(root.path(in_run("dmesg-incomplete"))));
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_EQ(system.unmounts, 0);
}

TEST_F(CaptureTest, WithoutRetryArgumentsThereIsNoRetry) {
  config.retry_arguments = {};
  system.dump_results = {exit_code(1)};
  run();
  EXPECT_THAT(system.commands, SizeIs(2));
  EXPECT_EQ(report.result, Result::kIncomplete);
}

TEST_F(CaptureTest, NothingSavedIsFailed) {
  system.dmesg_result = exit_code(1);
  system.outputs = {"", ""};
  system.dump_results = {exit_code(1), exit_code(1)};
  run();
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_EQ(saved_report()["result"], "failed");
}

TEST_F(CaptureTest, UnwantedLogIsSavedAfterAllWhenTheDumpFails) {
  config.skip_dmesg = true;
  system.outputs = {"", ""};
  system.dump_results = {exit_code(1), exit_code(1)};
  run();
  ASSERT_THAT(system.commands, SizeIs(3));
  EXPECT_THAT(system.commands[2], HasSubstr("--dump-dmesg"));
  EXPECT_EQ(report.result, Result::kDmesgOnly);
}

TEST_F(CaptureTest, OutOfMemoryIsSaid) {
  ChildResult killed;
  killed.signal = 9;
  system.dump_results = {killed};
  run();
  EXPECT_THAT(system.console, HasSubstr("ran out of memory, raise crashkernel="));
}

TEST_F(CaptureTest, FullTargetIsSaidWithItsSpace) {
  system.free = 7 << 20;
  system.full = true;
  system.dump_results = {exit_code(1)};
  run();
  EXPECT_THAT(system.console, HasSubstr("dump: 7 MiB free on the target"));
  EXPECT_THAT(saved_report()["error"].get<std::string>(),
              testing::AllOf(HasSubstr("the target is full"), HasSubstr("7 MiB free")));
}

TEST_F(CaptureTest, DumpThatFillsTheTargetIsKeptWithoutALargerTry) {
  system.full = true;
  system.dump_results = {exit_code(1)};
  run();
  EXPECT_THAT(system.commands, SizeIs(2));
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "line 1\nline 2\n");
}

TEST_F(CaptureTest, DumpGetsNoLargerThanThePoolHasRoomFor) {
  system.pool_room = 14;  // of the two lines that the fake writes
  system.dump_results = {exit_code(1)};
  run();
  EXPECT_THAT(system.largest_files, ElementsAre(14));
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_EQ(report.free_bytes, 14u);
  EXPECT_THAT(saved_report()["error"].get<std::string>(), HasSubstr("the target is full"));
}

TEST_F(CaptureTest, SmallerDumpFailedForAnotherReason) {
  system.pool_room = 30;
  system.dump_results = {exit_code(1), exit_code(1)};
  run();
  EXPECT_THAT(system.largest_files, ElementsAre(30, 30 - 14))
      << "what the first try has left is in the pool";
  EXPECT_THAT(saved_report()["error"].get<std::string>(),
              testing::AllOf(HasSubstr("it may be its pool, with room for 0 MiB"),
                             testing::Not(HasSubstr("is full"))));
}

TEST_F(CaptureTest, FirstReportHasRoomForTheLast) {
  std::uint64_t first = 0;
  system.on_run = [&](const std::string& output) {
    if (output.ends_with("dump-incomplete")) first = root.read(in_run("kdump-report.json")).size();
  };
  run();
  EXPECT_GE(first, kMaxReportBytes - 1) << "so that a full disk can take it";
  EXPECT_LT(root.read(in_run("kdump-report.json")).size(), kMaxReportBytes / 2);
}

TEST_F(CaptureTest, DumpThatCannotBePublishedIsKept) {
  system.on_run = [this](const std::string&) {
    std::filesystem::create_directories(root.path(in_run("dump.202401020304/in-the-way")));
  };
  run();
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "line 1\nline 2\n");
  EXPECT_THAT(system.commands, SizeIs(2)) << "a disk that fails to sync gets no second dump";
}

TEST_F(CaptureTest, DumpThatCannotBePublishedIsAFailedDump) {
  system.output_appears = false;
  run();
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_THAT(system.console, HasSubstr("dump.202401020304: No such file or directory"));
}

}  // namespace
}  // namespace kdinit
