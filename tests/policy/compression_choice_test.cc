// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/compression_choice.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using cpio::Codec;

KernelFacts kernel_with(std::initializer_list<const char*> options) {
  KernelFacts kernel;
  kernel.version = "6.1.0-test";
  for (const char* option : options) kernel.config += std::string(option) + "=y\n";
  return kernel;
}

TEST(CompressionChoice, DefaultsToZstd) {
  const auto choice = choose_compression({}, {}, kernel_with({"CONFIG_RD_ZSTD"}));
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->compression.codec, Codec::kZstd);
  EXPECT_EQ(choice->warning, "");
}

TEST(CompressionChoice, CommandLineWinsOverConfiguration) {
  InitramfsConfig additions;
  additions.compress = "xz";
  additions.level = 3;
  const KernelFacts kernel = kernel_with({"CONFIG_RD_XZ", "CONFIG_RD_LZ4"});
  const auto configured = choose_compression({}, additions, kernel);
  ASSERT_TRUE(configured.has_value());
  EXPECT_EQ(configured->compression.codec, Codec::kXz);
  EXPECT_EQ(configured->compression.level, 3);
  const auto asked = choose_compression({.codec = "lz4", .level = {}}, additions, kernel);
  ASSERT_TRUE(asked.has_value());
  EXPECT_EQ(asked->compression.codec, Codec::kLz4);
  EXPECT_EQ(asked->compression.level, std::nullopt) << "the level belonged to xz";
}

TEST(CompressionChoice, FallsBackToWhatTheKernelUnpacks) {
  const auto gzip = choose_compression({}, {}, kernel_with({"CONFIG_RD_GZIP"}));
  ASSERT_TRUE(gzip.has_value());
  EXPECT_EQ(gzip->compression.codec, Codec::kGzip);
  EXPECT_THAT(gzip->warning, testing::HasSubstr("CONFIG_RD_ZSTD"));
  const auto none = choose_compression({}, {}, kernel_with({"CONFIG_BLK_DEV_INITRD"}));
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ(none->compression.codec, Codec::kNone);
}

TEST(CompressionChoice, UnknownNameIsAnErrorOfUsage) {
  const auto choice = choose_compression({.codec = "brotli", .level = {}}, {}, kernel_with({}));
  ASSERT_FALSE(choice.has_value());
  EXPECT_EQ(choice.error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace kd
