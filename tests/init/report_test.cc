// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/report.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "builder/init/init_config.h"

namespace kdinit {
namespace {

nlohmann::json json_of(const Report& report) {
  Text<kMaxReportBytes> text;
  put_report(report, text);
  EXPECT_FALSE(text.cut());
  EXPECT_EQ(text.view().find('\n'), text.view().size() - 1);
  return nlohmann::json::parse(text.view());
}

TEST(Report, GivesFiguresInTheUnitsOfTheirNames) {
  Report report;
  report.kernel = "6.1.0";
  report.profile = "tuned";
  report.result = Result::kSavedWithRetry;
  report.add_failure("dump", "makedumpfile ended with exit code 1");
  report.add_failure("retention", "cannot delete");
  report.stamp.put("202401020304");
  report.dump_file.put("dump.202401020304");
  report.dump_bytes = 123456789012;
  report.dmesg_saved = true;
  report.ram_bytes = 128 << 20;
  report.at_start = {.total = 70000, .free = 60000, .available = 50000, .cached = 7000};
  report.lowest = {.total = 70000, .free = 30000, .available = 20000};
  report.makedumpfile_max_rss = 4321;
  report.steps[0] = {
      .name = "modules", .start_ms = 10, .end_ms = 20, .after = {1, 2, 3}, .lowest = {4, 5, 6}};
  report.step_count = 1;

  const nlohmann::json json = json_of(report);
  EXPECT_EQ(json["version"], kReportVersion);
  EXPECT_EQ(json["result"], "saved-with-retry");
  EXPECT_EQ(json["profile"], "tuned");
  EXPECT_EQ(json["failed_step"], "dump");
  EXPECT_EQ(json["error"], "makedumpfile ended with exit code 1");
  ASSERT_EQ(json["failures"].size(), 2u);
  EXPECT_EQ(json["failures"][0], nlohmann::json({{"step", "dump"}, {"error", json["error"]}}));
  EXPECT_EQ(json["failures"][1]["step"], "retention");
  EXPECT_EQ(json["dump_file"], "dump.202401020304");
  EXPECT_EQ(json["dump_bytes"], 123456789012);
  EXPECT_EQ(json["dmesg_saved"], true);
  EXPECT_EQ(json["memory"]["map_kib"], 131072);
  EXPECT_EQ(json["memory"]["start_free_kib"], 60000);
  EXPECT_EQ(json["memory"]["start_cached_kib"], 7000);
  EXPECT_EQ(json["memory"]["lowest_available_kib"], 20000);
  EXPECT_EQ(json["memory"]["makedumpfile_max_rss_kib"], 4321);
  ASSERT_EQ(json["steps"].size(), 1u);
  EXPECT_EQ(json["steps"][0]["name"], "modules");
  EXPECT_EQ(json["steps"][0]["end_ms"], 20);
  EXPECT_EQ(json["steps"][0]["lowest_free_kib"], 5);
}

TEST(Report, StaysValidJsonWithHostileText) {
  Report report;
  report.add_failure("dump", "quote \" backslash \\ newline \n byte \xff end");
  EXPECT_EQ(json_of(report)["error"], "quote \" backslash \\ newline \n byte \u00ff end");
}

TEST(Report, FitsItsBufferAtTheLargest) {
  const std::string longest(64, '\x01');  // six characters each in JSON
  Report report;
  report.kernel = report.image_kernel = longest;
  for (int i = 0; i < 100; ++i) report.add_failure("directory", std::string(1000, '"'));
  const std::string note(kMaxValueBytes, '"');
  report.dump_note = note;
  report.rehearsal = true;
  report.dump_file.put(longest);
  report.stamp.put(longest);
  report.step_count = std::size(report.steps);
  constexpr std::uint64_t kLargest = std::numeric_limits<std::uint32_t>::max() * 100ULL;
  const Memory memory{kLargest, kLargest, kLargest};
  for (StepRecord& step : report.steps) {
    step = {.name = "directory",
            .start_ms = kLargest,
            .end_ms = kLargest,
            .after = memory,
            .lowest = memory};
  }
  const nlohmann::json json = json_of(report);
  EXPECT_EQ(json["steps"].size(), std::size(report.steps));
  EXPECT_EQ(json["failures"].size(), std::size(report.failures));
}

TEST(Report, OnlyAWholeDumpIsSaved) {
  for (const Result result : {Result::kSaved, Result::kSavedWithRetry, Result::kSavedRaw}) {
    EXPECT_TRUE(is_saved(result)) << name_of(result);
  }
  for (const Result result :
       {Result::kUnfinished, Result::kIncomplete, Result::kDmesgOnly, Result::kFailed}) {
    EXPECT_FALSE(is_saved(result)) << name_of(result);
  }
}

TEST(Report, EveryResultHasItsOwnName) {
  EXPECT_EQ(name_of(Result::kUnfinished), "unfinished");
  EXPECT_EQ(name_of(Result::kSaved), "saved");
  EXPECT_EQ(name_of(Result::kSavedWithRetry), "saved-with-retry");
  EXPECT_EQ(name_of(Result::kSavedRaw), "saved-raw");
  EXPECT_EQ(name_of(Result::kIncomplete), "incomplete");
  EXPECT_EQ(name_of(Result::kDmesgOnly), "dmesg-only");
  EXPECT_EQ(name_of(Result::kFailed), "failed");
}

}  // namespace
}  // namespace kdinit
