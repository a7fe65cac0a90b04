// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hooks/verify/file_length.h"
#include "hooks/verify/flattened.h"
#include "tests/base/temporary_directory.h"

namespace kd::verify {
namespace {

void put(std::string& file, std::size_t at, std::uint64_t value, std::size_t size) {
  if (file.size() < at + size) file.resize(at + size);
  std::memcpy(file.data() + at, &value, size);
}

// Two blocks of bitmaps, pages 3 and 9, each of 10 bytes.
std::string small_dump() {
  std::string file = "KDUMP   ";
  file.resize(4 * 4096);
  put(file, 428, 4096, 4);
  put(file, 432, 1, 4);
  put(file, 436, 2, 4);
  file[3 * 4096] = 1 << 3;
  file[3 * 4096 + 1] = 1 << 1;
  const std::size_t descriptors = 4 * 4096;
  for (unsigned i = 0; i < 2; ++i) {
    put(file, descriptors + 24 * i, descriptors + 48 + 10 * i, 8);
    put(file, descriptors + 24 * i + 8, 10, 4);
    put(file, descriptors + 24 * i + 16, 0, 8);
  }
  return file + std::string(20, 'd');
}

Check length_of(const TemporaryDirectory& directory, const std::string& content) {
  directory.write("dump", content);
  const Fd fd(::open(directory.path("dump").c_str(), O_RDONLY | O_CLOEXEC));
  Check check;
  check_length(fd.get(), content.size(), check);
  return check;
}

TEST(FileLength, AWholeDumpHasAllItsPages) {
  const TemporaryDirectory directory;
  const Check check = length_of(directory, small_dump());
  EXPECT_EQ(check.count, 2U);
  EXPECT_EQ(check.missing_count, 0U);
}

TEST(FileLength, WhatLiesBehindTheEndIsMissing) {
  const TemporaryDirectory directory;
  const std::string file = small_dump();
  const Check last = length_of(directory, file.substr(0, file.size() - 1));
  EXPECT_EQ(last.missing_count, 1U);
  EXPECT_EQ(last.first_missing->unread.page, 9U);
  EXPECT_EQ(length_of(directory, file.substr(0, 4 * 4096 + 30)).missing_count, 2U);
  EXPECT_EQ(length_of(directory, file.substr(0, 4 * 4096)).missing_count, 2U);
  EXPECT_EQ(length_of(directory, file.substr(0, 4096)).missing_count, 1U);
}

TEST(FileLength, ADescriptorWithoutEndIsMissing) {
  const TemporaryDirectory directory;
  std::string file = small_dump();
  put(file, 4 * 4096, ~std::uint64_t{0}, 8);
  EXPECT_EQ(length_of(directory, file).missing_count, 1U);
}

TEST(FileLength, TheMarkOfMakedumpfileIsSeen) {
  const TemporaryDirectory directory;
  std::string file = small_dump();
  put(file, 424, 8, 4);
  EXPECT_THAT(length_of(directory, file).first_missing->unread.reason,
              testing::HasSubstr("incomplete"));
}

TEST(FileLength, ASegmentOfAnElfDumpMayNotEndBehindTheFile) {
  const TemporaryDirectory directory;
  std::string file =
      "\x7f"
      "ELF\x02";
  put(file, 32, 64, 8);
  put(file, 56, 1, 2);
  put(file, 64 + 8, 120, 8);
  put(file, 64 + 32, 10, 8);
  file.resize(130);
  EXPECT_EQ(length_of(directory, file).missing_count, 0U);
  EXPECT_EQ(length_of(directory, file.substr(0, 129)).missing_count, 1U);
  put(file, 64 + 32, 1000, 8);
  EXPECT_EQ(length_of(directory, file).missing_count, 1U);
}

void put_piece(std::string& file, std::int64_t offset, std::int64_t size,
               std::string_view data = {}) {
  for (const std::int64_t value : {offset, size}) {
    for (int shift = 56; shift >= 0; shift -= 8) file += static_cast<char>(value >> shift);
  }
  file += data;
}

std::string flattened_start() {
  std::string file = "makedumpfile";
  file.resize(4096);
  return file;
}

std::string rearranged(const TemporaryDirectory& directory, const std::string& content,
                       std::string& cut_off) {
  directory.write("flat", content);
  const Fd from(::open(directory.path("flat").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(is_flattened(from.get()));
  const Fd to = unnamed_file(directory.path()).value();
  cut_off = rearrange(from.get(), to.get()).value().cut_off;
  std::string result(64, '\0');
  result.resize(static_cast<std::size_t>(::pread(to.get(), result.data(), result.size(), 0)));
  return result;
}

TEST(Flattened, EveryPieceGoesToItsPlace) {
  const TemporaryDirectory directory;
  std::string file = flattened_start(), cut_off;
  put_piece(file, 4, 4, "late");
  put_piece(file, 0, 5, "early");
  put_piece(file, -1, -1);
  EXPECT_EQ(rearranged(directory, file, cut_off), "earlyate");
  EXPECT_EQ(cut_off, "");
}

TEST(Flattened, AnEndThatIsMissingIsSaid) {
  const TemporaryDirectory directory;
  std::string file = flattened_start(), cut_off;
  put_piece(file, 0, 5, "early");
  EXPECT_EQ(rearranged(directory, file, cut_off), "early");
  EXPECT_THAT(cut_off, testing::HasSubstr("no end mark"));
  EXPECT_EQ(rearranged(directory, file.substr(0, file.size() - 2), cut_off), "ear");
  EXPECT_THAT(cut_off, testing::HasSubstr("cut off"));
}

TEST(Flattened, APieceWithoutPlaceIsNotWritten) {
  const TemporaryDirectory directory;
  std::string file = flattened_start(), cut_off;
  put_piece(file, std::int64_t{1} << 60, 5, "early");
  EXPECT_EQ(rearranged(directory, file, cut_off), "");
  EXPECT_THAT(cut_off, testing::HasSubstr("no place"));
}

}  // namespace
}  // namespace kd::verify
