// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpio/image.h"

#include <gmock/gmock.h>

#include "tests/cpio/samples.h"

namespace cpio {
namespace {

using testing::HasSubstr;

constexpr Codec kAll[] = {Codec::kNone, Codec::kGzip, Codec::kXz, Codec::kLz4, Codec::kZstd};

std::string archive_of(const Entry& entry) { return write_archive({&entry, 1}, 0).value(); }

// An archive without its trailer, which ends the last segment only: header and padded name.
std::string without_trailer(const std::string& archive) {
  return archive.substr(0, archive.size() - 124);
}

// Aligned, and with the block size of zero that ends an lz4 stream (lib/decompress_unlz4.c).
std::string two_segments(Codec first, Codec second) {
  const std::string a = without_trailer(archive_of(file("first", sample_text(1001))));
  const std::string b = archive_of(file("second", sample_text(2002)));
  std::string image = compress(a, {.codec = first, .level = {}}).value();
  image.append((4 - image.size() % 4) % 4, '\0');
  if (first == Codec::kLz4) image.append(4, '\0');
  return image + compress(b, {.codec = second, .level = {}}).value();
}

TEST(Image, ReturnsItsSegments) {
  for (const Codec first : kAll) {
    for (const Codec second : kAll) {
      if (first == Codec::kNone && second == Codec::kNone) continue;  // read as one
      const std::string image = two_segments(first, second);
      const auto read = read_image(image);
      ASSERT_TRUE(read) << name_of(first) << name_of(second) << read.error().message;
      ASSERT_EQ(read->size(), 2U) << name_of(first) << name_of(second);
      const SegmentContent& a = read->at(0);
      const SegmentContent& b = read->at(1);
      EXPECT_EQ(a.codec, first);
      EXPECT_EQ(b.codec, second);
      EXPECT_EQ(a.entries.at(0).data, sample_text(1001));
      EXPECT_EQ(b.entries.at(0).data, sample_text(2002));
      EXPECT_EQ(a.offset, 0U);
      EXPECT_EQ(b.offset % 4, 0U);
      EXPECT_FALSE(a.trailer);
      EXPECT_TRUE(b.trailer);
      EXPECT_EQ(a.unpacked_size, 1120U);
    }
  }
}

TEST(Image, UncompressedSegmentsAreReadAsOne) {
  EXPECT_EQ(read_image(two_segments(Codec::kNone, Codec::kNone))->size(), 1U);
}

TEST(Image, IsTheSameForEveryThreadCount) {
  const auto image = [](unsigned threads) {
    std::vector<Entry> entries = sample_entries();
    entries.push_back(file("large", sample_text(2'200'000, 3)));
    const std::string archive = write_archive(entries, 1).value();
    return compress(archive, {.level = {}, .threads = threads}).value();
  };
  EXPECT_TRUE(image(1) == image(2));
  EXPECT_TRUE(image(1) == image(4));
}

TEST(Image, ReadsSegmentsThatEachHaveATrailer) {
  std::string image = archive_of(file("microcode", "1"));
  image.resize(512, '\0');
  const std::string archive = archive_of(file("init", "2"));
  image += compress(archive, {.codec = Codec::kGzip, .level = {}}).value();
  const auto read = read_image(image).value();
  ASSERT_EQ(read.size(), 2U);
  EXPECT_TRUE(read[0].trailer);
  EXPECT_EQ(read[1].offset, 512U);
}

TEST(Image, UnalignedSegmentIsAnError) {
  std::string image = two_segments(Codec::kZstd, Codec::kZstd);
  image.insert(read_image(image)->at(1).offset, 1, '\0');
  const auto read = read_image(image);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("not aligned"));
}

TEST(Image, CutOffAnywhereIsAnError) {
  for (const Codec codec : kAll) {
    const std::string image = two_segments(Codec::kNone, codec);
    const auto read = read_image(image).value();
    const std::size_t end = read.back().offset + read.back().stored_size;
    for (std::size_t size = 0; size < end; ++size) {
      EXPECT_FALSE(read_image(image.substr(0, size))) << name_of(codec) << " " << size;
    }
  }
}

TEST(Image, OtherBytesAreNamedByTheirOffset) {
  const auto read = read_image(two_segments(Codec::kNone, Codec::kZstd) + "garbage!");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("offset"));
  EXPECT_FALSE(read_image(compress("no archive", {}).value()));
}

}  // namespace
}  // namespace cpio
