// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/index_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace modsel {
namespace {

using ::testing::HasSubstr;

// The format of libkmod-index.c.
constexpr std::uint32_t kPrefix = 0x80000000;
constexpr std::uint32_t kValues = 0x40000000;
constexpr std::uint32_t kChildren = 0x20000000;
constexpr std::uint32_t kRoot = 12;  // right behind the header

std::string word(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string header(std::uint32_t root) { return word(0xB007F457) + word(0x00020001) + word(root); }

std::string error_of(const std::string& data) {
  const auto checked = check_index(data, "some.bin");
  return checked ? "" : checked.error().message;
}

TEST(IndexFile, IndexesOfOldAndNewKmodAreWhole) {
  for (const auto& entry :
       std::filesystem::directory_iterator(KD_SOURCE_DIR "/tests/fuzz/corpus/index_file")) {
    const auto checked = check_index_file(entry.path());
    EXPECT_TRUE(checked.has_value() && *checked) << entry.path();
  }
}

TEST(IndexFile, CutAtAnyLengthIsFound) {
  for (const auto& entry :
       std::filesystem::directory_iterator(KD_SOURCE_DIR "/tests/fuzz/corpus/index_file")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(file), {}};
    ASSERT_GT(whole.size(), 100U);
    for (std::size_t size = 1; size < whole.size(); ++size) {
      EXPECT_THAT(error_of(whole.substr(0, size)), HasSubstr("cut off at")) << size;
    }
  }
}

TEST(IndexFile, IndexWithoutEntriesIsWhole) {
  const auto checked = check_index(header(kRoot), "some.bin");
  ASSERT_TRUE(checked.has_value());
  EXPECT_FALSE(*checked);
}

TEST(IndexFile, RootInsideOfTheHeaderIsRefused) {
  EXPECT_THAT(error_of(header(kPrefix | 4) + std::string(1, '\0')), HasSubstr("cut off"));
  EXPECT_THAT(error_of(header(0) + "more"), HasSubstr("cut off"));
}

TEST(IndexFile, LoopIsRefused) {
  const std::string self = header(kChildren | kRoot) + "aa" + word(kChildren | kRoot);
  EXPECT_THAT(error_of(self), HasSubstr("more than once"));
}

// Each of 30 nodes names the next one twice: 2^30 ways to the last.
TEST(IndexFile, NodeThatIsReachedTwiceIsRefused) {
  std::string data = header(kChildren | kRoot);
  for (std::uint32_t i = 1; i <= 30; ++i) {
    const std::uint32_t next = kChildren | (kRoot + 10 * i);
    data += "ab" + word(next) + word(next);
  }
  data += "aa" + word(0);
  EXPECT_THAT(error_of(data), HasSubstr("more than once"));
}

// libkmod recurses once for each level.
TEST(IndexFile, ChainBeyondAnyKeyIsRefused) {
  const auto chain = [](std::uint32_t nodes) {
    std::string data = header(kChildren | kRoot);
    for (std::uint32_t i = 1; i < nodes; ++i) data += "aa" + word(kChildren | (kRoot + 6 * i));
    return data + "aa" + word(0);
  };
  EXPECT_EQ(error_of(chain(4096)), "");
  EXPECT_THAT(error_of(chain(4097)), HasSubstr("too deep"));
  EXPECT_THAT(error_of(chain(1000000)), HasSubstr("too deep"));
}

TEST(IndexFile, RangeOfChildrenThatIsNoneIsRefused) {
  const std::string children = word(0) + word(0);
  EXPECT_THAT(error_of(header(kChildren | kRoot) + "ba" + children), HasSubstr("range"));
  EXPECT_THAT(error_of(header(kChildren | kRoot) + "\x7f\x80" + children), HasSubstr("range"));
}

TEST(IndexFile, MoreValuesThanThereAreBytesIsRefused) {
  const std::string value = word(1) + "kernel/a.ko:" + std::string(1, '\0');
  EXPECT_EQ(error_of(header(kValues | kRoot) + word(1) + value), "");
  EXPECT_THAT(error_of(header(kValues | kRoot) + word(0xFFFFFFFF) + value), HasSubstr("cut off"));
}

TEST(IndexFile, WhatIsNoRegularFileIsNoIndex) {
  EXPECT_FALSE(check_index_file("/dev/zero").has_value());
  EXPECT_FALSE(check_index_file("/").has_value());
}

}  // namespace
}  // namespace modsel
