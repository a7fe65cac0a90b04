// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/bounce_buffers.h"

#include <gmock/gmock.h>

#include "builder/fit/memory_model.h"

namespace kd {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// 64 MiB in slabs of 2 KiB, and 24 bytes for each.
constexpr std::uint64_t kUsual = 64 * kMiB + 32768 * 24;

BounceBuffers of(std::string_view line, const std::vector<std::string>& limits,
                 std::uint64_t gibibytes = 64) {
  return bounce_buffers({.command_line = line, .limits = limits, .ram = gibibytes << 30});
}

TEST(BounceBuffers, AreThereForEveryReasonOfTheKernel) {
  EXPECT_EQ(of("nr_cpus=1", {}).bytes, 0U);
  EXPECT_EQ(of("swiotlb=force", {}).bytes, kUsual);
  EXPECT_EQ(of("swiotlb=65536,4,force", {}).bytes, 2 * kUsual);
  EXPECT_EQ(of("", {"sev"}).bytes, kUsual);
  EXPECT_EQ(of("", {"tdx"}).bytes, kUsual);
  EXPECT_EQ(of("mem_encrypt=off", {"sev"}).bytes, kUsual) << "the host decides";
  EXPECT_EQ(of("mem_encrypt=on", {"sme"}).bytes, kUsual);
  EXPECT_EQ(of("mem_encrypt=on mem_encrypt=off", {"sme"}).bytes, 0U);
  EXPECT_EQ(of("", {"sme"}).bytes, 0U);
  EXPECT_EQ(of("mem_encrypt=on", {}).bytes, 0U);
  EXPECT_EQ(of("iommu=merge,soft", {}).bytes, kUsual);
  EXPECT_EQ(of("", {"high"}).bytes, kUsual);
  EXPECT_EQ(of("iommu=off", {"high"}).bytes, 0U);
  EXPECT_EQ(of("", {"srat"}).bytes, kUsual);
  EXPECT_EQ(of("numa=off", {"srat"}).bytes, 0U);
  EXPECT_EQ(of("", {"srat"}, 2).bytes, 0U) << "nothing above 4 GiB";
}

TEST(BounceBuffers, SizeAloneIsNoReasonAndNoforceIsNone) {
  EXPECT_EQ(of("swiotlb=65536", {}).bytes, 0U);
  EXPECT_EQ(of("swiotlb=512", {"sev"}).bytes, 512U * (2048 + 24));
  EXPECT_EQ(of("swiotlb=513", {"sev"}).bytes, 640U * (2048 + 24)) << "in segments of 128";
  EXPECT_EQ(of("swiotlb=noforce", {"sev", "high"}).bytes, 0U);
  EXPECT_LT(of("swiotlb=18446744073709551615,force", {}).bytes, std::uint64_t{2} << 40);
}

TEST(BounceBuffers, CountInEveryMomentAndSayWhy) {
  ModelInput input{.variant = kVariants[0], .kernel = {.source = "test", .unpacking = 70 * kMiB}};
  const Fit without = predict(input);
  input.bounce_buffers = of("", {"sev"});
  const Fit with = predict(input);
  const std::uint64_t larger_map =
      memory_map(with.needed, 0) - memory_map(without.needed, 0) + kUsual;
  EXPECT_EQ(with.unpack.total(), without.unpack.total() + larger_map);
  EXPECT_EQ(with.load.total(), without.load.total() + larger_map);
  EXPECT_EQ(with.capture.total(), without.capture.total() + larger_map);
  EXPECT_THAT(with.unpack.terms.back().source, HasSubstr("SEV"));
  EXPECT_GE(with.needed, without.needed + 64 * kMiB);
}

TEST(BounceBuffers, OfACaptureThatWasMeasuredAreNotCountedTwice) {
  ModelInput input{.kernel = {.source = "test", .measured_peak = 100 * kMiB},
                   .reservation_end = 1024 * kMiB};
  input.bounce_buffers = of("", {"sev"});
  EXPECT_EQ(predict(input).capture.total(), 100 * kMiB);
}

}  // namespace
}  // namespace kd
