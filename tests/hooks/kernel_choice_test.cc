// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/kernel_choice.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kStandard = "6.1.0-56-amd64";
constexpr const char* kOlder = "6.1.0-9-amd64";
constexpr const char* kOld = "6.1.0-55-amd64";
constexpr const char* kCloud = "6.1.0-56-cloud-amd64";

KernelCandidate needs(const char* version, double mebibytes) {
  return {.version = version,
          .needed = static_cast<std::uint64_t>(mebibytes * (1 << 20)),
          .source = "measured",
          .unfit = {}};
}
KernelCandidate unfit(const char* version, const char* why) {
  return {.version = version, .needed = 10 << 20, .source = {}, .unfit = why};
}

TEST(KernelChoice, RunningNeedsNoCandidates) {
  const KernelChoice choice = choose_kernel("running", kStandard, {});
  EXPECT_EQ(choice.version, kStandard);
  EXPECT_EQ(choice.reason, "");
  EXPECT_TRUE(choice.followed);
}

TEST(KernelChoice, SmallestIsTheOneThatNeedsLeast) {
  const KernelChoice choice = choose_kernel(
      "smallest", kStandard, {needs(kStandard, 71), needs(kCloud, 57), needs(kOld, 70)});
  EXPECT_EQ(choice.version, kCloud);
  EXPECT_THAT(choice.reason, AllOf(HasSubstr("6.1.0-56-cloud-amd64 needs 57M"),
                                   HasSubstr("the running kernel 6.1.0-56-amd64 71M")));
  EXPECT_TRUE(choice.followed);
}

TEST(KernelChoice, SmallestHasTheDriversOfTheTarget) {
  const KernelChoice choice = choose_kernel(
      "smallest", kStandard,
      {unfit(kCloud, "no module 'sym53c8xx'"), needs(kStandard, 71), needs(kOld, 70)});
  EXPECT_EQ(choice.version, kOld);
}

TEST(KernelChoice, RunningKernelWinsUnlessAMebibyteIsSaved) {
  EXPECT_EQ(
      choose_kernel("smallest", kStandard, {needs(kOld, 71.1), needs(kStandard, 71.9)}).version,
      kStandard);
  EXPECT_EQ(choose_kernel("smallest", kStandard, {needs(kOld, 70.9), needs(kStandard, 71)}).version,
            kOld);
}

TEST(KernelChoice, OfOthersThatNeedTheSameTheNewestWins) {
  for (const auto& candidates :
       {std::vector{needs(kOlder, 57), needs(kOld, 57), needs(kStandard, 71)},
        std::vector{needs(kStandard, 71), needs(kOld, 57), needs(kOlder, 57)}}) {
    EXPECT_EQ(choose_kernel("smallest", kStandard, candidates).version, kOld);
  }
}

TEST(KernelChoice, WhatNobodyHasWeighedIsNotTheSmallest) {
  const KernelChoice choice =
      choose_kernel("smallest", kStandard, {needs(kCloud, 0), needs(kStandard, 71)});
  EXPECT_EQ(choice.version, kStandard);
}

TEST(KernelChoice, WithoutAnyThatCanTheRunningKernelIsTaken) {
  for (const auto& candidates :
       {std::vector<KernelCandidate>{}, std::vector{unfit(kCloud, "x"), unfit(kStandard, "y")},
        std::vector{needs(kStandard, 0)}}) {
    const KernelChoice choice = choose_kernel("smallest", kStandard, candidates);
    EXPECT_EQ(choice.version, kStandard);
    EXPECT_THAT(choice.reason, HasSubstr("of no installed kernel is known"));
  }
}

TEST(KernelChoice, RunningKernelThatCannotIsSaid) {
  const KernelChoice choice =
      choose_kernel("smallest", kStandard, {unfit(kStandard, "x"), needs(kCloud, 80)});
  EXPECT_EQ(choice.version, kCloud);
  EXPECT_THAT(choice.reason, HasSubstr("the running kernel 6.1.0-56-amd64 cannot capture here"));
}

TEST(KernelChoice, NamedVersionIsTakenWhateverItNeeds) {
  const KernelChoice choice = choose_kernel(kOld, kStandard, {needs(kOld, 90)});
  EXPECT_EQ(choice.version, kOld);
  EXPECT_TRUE(choice.followed);
  EXPECT_TRUE(choose_kernel(kOld, kStandard, {needs(kOld, 0)}).followed)
      << "an image by mkinitramfs";
}

TEST(KernelChoice, NamedVersionThatRunsIsTakenAsTheRunningOne) {
  EXPECT_TRUE(choose_kernel(kStandard, kStandard, {unfit(kStandard, "no module 'nvme'")}).followed);
}

TEST(KernelChoice, NamedVersionThatCannotLeavesTheMachineWithTheRunningOne) {
  const KernelChoice gone = choose_kernel(kOld, kStandard, {});
  EXPECT_EQ(gone.version, kStandard);
  EXPECT_FALSE(gone.followed);
  EXPECT_THAT(gone.reason, HasSubstr("KDUMP_KERNEL_VERSION=6.1.0-55-amd64: it is not installed"));
  const KernelChoice lacks =
      choose_kernel(kCloud, kStandard, {unfit(kCloud, "no module 'mpt3sas'")});
  EXPECT_EQ(lacks.version, kStandard);
  EXPECT_THAT(lacks.reason, HasSubstr("no module 'mpt3sas'"));
}

TEST(KernelChoice, AnotherCaptureKernelFiltersTheMemoryOfTheRunningOne) {
  KdumpConfig config;
  EXPECT_EQ(crashed_kernel(config, kStandard, kOld), kOld) << "its image is for its own crash";
  config.kernel_version = "smallest";
  EXPECT_EQ(crashed_kernel(config, kStandard, kCloud), kStandard);
}

TEST(KernelChoice, TableMarksTheChosenAndTheRunningKernel) {
  const std::vector<KernelCandidate> candidates = {
      needs(kCloud, 57), needs(kStandard, 71), unfit(kOld, "no module 'nvme'"), needs(kOlder, 0)};
  EXPECT_EQ(candidates_text(candidates, kStandard, {.version = kCloud, .reason = {}}),
            "> 6.1.0-56-cloud-amd64    57M  measured\n"
            "  6.1.0-56-amd64          71M  measured (running)\n"
            "  6.1.0-55-amd64            -  no module 'nvme'\n"
            "  6.1.0-9-amd64             -  measured\n");
}

}  // namespace
}  // namespace kd
