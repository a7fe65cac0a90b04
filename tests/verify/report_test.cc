// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hooks/verify/verify.h"

namespace kd::verify {
namespace {

Verification whole() {
  Verification done{.dump = "/var/crash/1/dump.1", .bytes = 4096, .format = "diskdump"};
  done.checks = {{.name = "descriptors", .count = 7},
                 {.name = "pages", .count = 7},
                 {.name = "tasks", .count = 2}};
  return done;
}

TEST(Report, NothingMissingIsWhole) {
  EXPECT_EQ(outcome(whole()), Outcome::kWhole);
  EXPECT_EQ(reason(whole()), "");
}

TEST(Report, WhatWasNotCheckedIsNeitherWholeNorDamaged) {
  Verification done = whole();
  done.checks[2].not_checked = "needs the types";
  EXPECT_EQ(outcome(done), Outcome::kPartlyChecked);
  EXPECT_EQ(reason(done), "tasks not checked: needs the types");
  done.checks[1].miss({}, "x");
  EXPECT_EQ(outcome(done), Outcome::kDamaged);
}

TEST(Report, WhatThePageBelongsToComesFirst) {
  Verification done = whole();
  done.checks[1].miss({Unread::Kind::kDamaged, 0x5000, 5, "Wrong page size: 0"}, "memory");
  EXPECT_EQ(reason(done), "page 0x5 is damaged (Wrong page size: 0): memory");
  done.checks[2].miss({Unread::Kind::kNotMapped, 0x1234, {}, "no way"}, "task_struct");
  EXPECT_EQ(reason(done), "page 0x5 is damaged (Wrong page size: 0): memory");
  done.checks[2].first_missing->unread = {Unread::Kind::kNotInDump, 0xffff888000006000, 6, ""};
  EXPECT_EQ(reason(done), "page 0x6 is not in the dump: task_struct");
}

TEST(Report, NoByteOfTheDumpReachesTheTerminalAsAnOrder) {
  Verification done = whole();
  done.kernel = "\x1b[2J";
  done.checks[2].detail = "\x07\n\xff";
  done.checks[2].miss({}, "task \x1b]0;");
  EXPECT_THAT(to_text(done), testing::Not(testing::HasSubstr("\x1b")));
  EXPECT_THAT(to_text(done), testing::Not(testing::HasSubstr("\x07")));
  EXPECT_TRUE(nlohmann::json::accept(to_json(done)));
}

TEST(Report, JsonSaysThePageAndItsOwner) {
  Verification done = whole();
  done.checks[2].miss({Unread::Kind::kNotInDump, 0xffff888000006000, 6, ""},
                      "stack of pid 1 (init)");
  const nlohmann::json json = nlohmann::json::parse(to_json(done));
  EXPECT_EQ(json["result"], "damaged");
  EXPECT_EQ(json["checks"][2]["page"], 6);
  EXPECT_EQ(json["checks"][2]["belongs_to"], "stack of pid 1 (init)");
  EXPECT_FALSE(json["checks"][0].contains("page"));
}

}  // namespace
}  // namespace kd::verify
