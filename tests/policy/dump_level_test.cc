// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/dump_level.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DumpArguments choose(const DumpPair& pair, const ShellVariables& variables = {}) {
  return choose_dump_arguments(*interpret_kdump_config(variables), pair).value();
}

TEST(DumpLevel, VersionsAreTheNumbersInFront) {
  EXPECT_EQ(parse_version("6.1.0-56-amd64"), (Version{6, 1, 0}));
  EXPECT_EQ(parse_version("7.3.4+deb14-amd64"), (Version{7, 3, 4}));
  EXPECT_EQ(parse_version("6.12-rc3"), (Version{6, 12, 0}));
  EXPECT_EQ(parse_version("1.7.9++"), (Version{1, 7, 9}));
  EXPECT_LT(*parse_version("6.2.0"), *parse_version("6.10.0"));
  for (const char* text : {"", "7", "x.y", "custom", "-1.2", "99999999999.1"}) {
    EXPECT_EQ(parse_version(text), std::nullopt) << text;
  }
}

TEST(DumpLevel, PairsThatFilterRightKeepTheDefault) {
  for (const DumpPair& pair : {DumpPair{"1.7.2", "6.1.0-56-amd64"},
                               {"1.7.6", "6.12.117+deb13-amd64"},
                               {"1.7.3", "6.2.0"},
                               {"1.7.6", "6.10.0"},
                               {"1.7.9", "7.0.9-amd64"},
                               {"1.6.5", "5.10.0-9"}}) {
    const DumpArguments chosen = choose(pair);
    EXPECT_THAT(chosen.first, ElementsAre("-c", "-d", "31")) << pair.kernel;
    EXPECT_THAT(chosen.retry, ElementsAre("-d", "31", "--num-threads", "0")) << pair.kernel;
    EXPECT_EQ(chosen.note, "") << pair.kernel;
    EXPECT_FALSE(chosen.larger || chosen.unreadable) << pair.kernel;
  }
}

TEST(DumpLevel, PairsThatLosePagesGetTheSafeLevelAtBothTries) {
  for (const DumpPair& pair : {DumpPair{"1.7.2", "6.2.0"},
                               {"1.7.5", "6.10.1"},
                               {"1.7.2", "6.12.117+deb13-amd64"},
                               {"1.7.9", "7.1.0"},
                               {"1.7.9", "7.3.4-amd64"},
                               {"1.7.9++", "7.3.4-amd64"},
                               {"1.5.9", "4.1.0"}}) {
    const DumpArguments chosen = choose(pair);
    EXPECT_THAT(chosen.first, ElementsAre("-c", "-d", "17")) << pair.kernel;
    EXPECT_THAT(chosen.retry, ElementsAre("-d", "17", "--num-threads", "0")) << pair.kernel;
    EXPECT_TRUE(chosen.larger) << pair.kernel;
    EXPECT_THAT(chosen.note, AllOf(HasSubstr("makedumpfile " + pair.makedumpfile),
                                   HasSubstr("kernel " + pair.kernel), HasSubstr("-d 17")));
  }
}

// No release is known to be right from 7.1 on, so none is guessed to be, however new both are.
TEST(DumpLevel, WhatNobodyKnowsGetsTheSafeLevel) {
  for (const DumpPair& pair : {DumpPair{"9.0.0", "99.0.0"},
                               {"1.8.0", "7.4.0"},
                               {"", "6.1.0-56-amd64"},
                               {"1.7.2", ""},
                               {"wrapper", "6.1.0"},
                               {"1.7.2", "custom"},
                               {}}) {
    EXPECT_THAT(choose(pair).first, ElementsAre("-c", "-d", "17"))
        << pair.makedumpfile << " " << pair.kernel;
    EXPECT_TRUE(choose(pair).larger);
  }
}

TEST(DumpLevel, OwnLevelIsHonouredWithAWarning) {
  for (const char* own : {"-c -d 31", "-c -d31", "-cd 31", "-d 8", "-d 1,31", "-d 17 -d 24", "-d x",
                          "-d 17,", "-ld 3"}) {
    const DumpArguments chosen = choose({"1.7.8", "7.3.4"}, {{"MAKEDUMP_ARGS", own}});
    EXPECT_EQ(chosen.first, *split_words(own));
    EXPECT_TRUE(chosen.unreadable) << own;
    EXPECT_FALSE(chosen.larger) << own;
    EXPECT_THAT(chosen.note, AllOf(HasSubstr("MAKEDUMP_ARGS"), HasSubstr("use -d 17"))) << own;
    EXPECT_THAT(chosen.retry, ElementsAre("-d", "17", "--num-threads", "0")) << own;
  }
}

TEST(DumpLevel, OwnLevelThatLosesNothingNeedsNoWarning) {
  for (const char* own :
       {"-c", "-l -d 17", "-d1", "-cd 16", "-E -d 0", "-d 1,17", "-c --message-level 31"}) {
    const DumpArguments chosen = choose({"1.7.8", "7.3.4"}, {{"MAKEDUMP_ARGS", own}});
    EXPECT_EQ(chosen.note, "") << own;
    EXPECT_FALSE(chosen.unreadable) << own;
  }
  EXPECT_EQ(choose({"1.7.2", "6.1.0"}, {{"MAKEDUMP_ARGS", "-z -d 31"}}).note, "");
}

// As kdump-tools takes a variable that is set to nothing.
TEST(DumpLevel, EmptyArgumentsAreTheDefault) {
  EXPECT_THAT(choose({"1.7.8", "7.3.4"}, {{"MAKEDUMP_ARGS", ""}}).first,
              ElementsAre("-c", "-d", "17"));
}

TEST(DumpLevel, FlattenedFormatIsDroppedAndOpenQuotesAreRefused) {
  EXPECT_THAT(choose({"1.7.2", "6.1.0"}, {{"MAKEDUMP_ARGS", "-F -l -d 17"}}).first,
              ElementsAre("-l", "-d", "17"));
  KdumpConfig config;
  config.makedump_args = "-c 'x";
  EXPECT_FALSE(choose_dump_arguments(config, {"1.7.2", "6.1.0"}).has_value());
}

TEST(DumpLevel, SaysWhenTheProgramWasReleasedForOlderKernels) {
  EXPECT_THAT(newest_kernel_note({"1.7.2", "6.1.0-56-amd64"}),
              AllOf(HasSubstr("up to 6.0"), HasSubstr("The kernel version is not supported")));
  EXPECT_THAT(newest_kernel_note({"1.7.9", "7.3.4"}), HasSubstr("up to 7.0"));
  EXPECT_EQ(newest_kernel_note({"1.7.6", "6.11.99"}), "");
  EXPECT_EQ(newest_kernel_note({"1.7.9", "7.0.0"}), "");
  EXPECT_EQ(newest_kernel_note({"", "7.0.0"}), "");
  EXPECT_EQ(newest_kernel_note({"2.0.0", "7.0.0"}), "") << "nobody knows";
}

}  // namespace
}  // namespace kd
