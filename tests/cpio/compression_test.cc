// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpio/compression.h"

#include <gmock/gmock.h>

#include "tests/cpio/samples.h"

namespace cpio {
namespace {

using testing::HasSubstr;

constexpr Codec kAll[] = {Codec::kNone, Codec::kGzip, Codec::kXz, Codec::kLz4, Codec::kZstd};
constexpr Codec kReal[] = {Codec::kGzip, Codec::kXz, Codec::kLz4, Codec::kZstd};

std::string packed(std::string_view data, Codec codec, std::optional<int> level = {}) {
  return compress(data, {.codec = codec, .level = level}).value();
}

std::string refusal(const kd::Result<std::string>& result) {
  return result ? "accepted" : result.error().message;
}

TEST(Codec, NamesAreUnique) {
  for (const Codec codec : kAll) EXPECT_EQ(codec_from_name(name_of(codec)), codec);
  EXPECT_EQ(codec_from_name("bzip2"), std::nullopt);
  EXPECT_EQ(codec_from_name(""), std::nullopt);
  EXPECT_EQ(kernel_option(Codec::kZstd), "CONFIG_RD_ZSTD");
  EXPECT_EQ(kernel_option(Codec::kNone), "");
}

TEST(Compress, ComesBackForEverySize) {
  for (const Codec codec : kAll) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{65536}, std::size_t{65537},
          std::size_t{9'000'001}}) {
      const std::string data = sample_text(size);
      const auto unpacked = decompress(packed(data, codec));
      ASSERT_TRUE(unpacked) << name_of(codec) << " " << size << unpacked.error().message;
      EXPECT_TRUE(*unpacked == data) << name_of(codec) << " " << size;
    }
  }
}

TEST(Compress, StartsWithTheMagicOfItsCodec) {
  for (const Codec codec : kAll) EXPECT_EQ(codec_of(packed("data", codec)), codec);
}

TEST(Compress, EveryLevelOfTheRangeWorksAndNoOther) {
  const std::string data = sample_text(20'000);
  // Of gzip(1), xz(1), lz4(1) and zstd(1).
  for (const auto& [codec, low, high] : {std::tuple{Codec::kGzip, 1, 9},
                                         {Codec::kXz, 0, 9},
                                         {Codec::kLz4, 1, 12},
                                         {Codec::kZstd, 1, 22}}) {
    for (int level = low; level <= high; ++level) {
      EXPECT_EQ(decompress(packed(data, codec, level)), data) << name_of(codec) << " " << level;
    }
    EXPECT_LT(packed(data, codec, high).size(), packed(data, codec, low).size());
    for (const int level : {low - 1, high + 1}) {
      EXPECT_THAT(refusal(compress(data, {.codec = codec, .level = level})), HasSubstr("level"));
    }
  }
}

TEST(Compress, ThreadsNeverChangeTheBytes) {
  for (const std::size_t size : {1000U, 600'000U, 3'000'000U}) {
    const std::string data = sample_text(size);
    for (const std::optional<int> level : {std::optional<int>{}, std::optional<int>{17}}) {
      const std::string expected = compress(data, {.level = level, .threads = 1}).value();
      for (const unsigned threads : {0U, 2U, 4U, 1000U}) {
        EXPECT_TRUE(compress(data, {.level = level, .threads = threads}) == expected)
            << size << " bytes, " << threads << " threads";
      }
    }
  }
}

TEST(Compress, GzipHasNeitherTimeNorName) {
  const std::string data = packed("data", Codec::kGzip);
  EXPECT_EQ(data.substr(3, 5), std::string(5, '\0'));  // flags, then the time
}

TEST(Compress, WindowIsWhatWasAsked) {
  // The second half repeats the first from 200 KB away: out of sight of a window of 128 KiB.
  const std::string half = sample_text(200'000);
  for (const Codec codec : {Codec::kXz, Codec::kZstd}) {
    const auto size = [&](int log) {
      return compress(half + half, {.codec = codec, .level = {}, .window_log = log})->size();
    };
    EXPECT_LT(size(18) * 3, size(17) * 2) << name_of(codec);
    for (const int log : {0, 11, 28}) {
      EXPECT_THAT(refusal(compress(half, {.codec = codec, .level = {}, .window_log = log})),
                  HasSubstr("window"));
    }
  }
}

TEST(Decompress, ReturnsOtherDataAsTheyAre) {
  EXPECT_EQ(decompress(""), "");
  EXPECT_EQ(decompress("\x7f"
                       "ELF"),
            "\x7f"
            "ELF");
  EXPECT_EQ(decompress("\x1f\x8b"), "\x1f\x8b");
}

TEST(Decompress, KeepsTheLimitToTheByte) {
  const std::string data(1'000'000, 'x');
  for (const Codec codec : kAll) {
    const std::string stream = packed(data, codec);
    EXPECT_TRUE(decompress(stream, data.size())) << name_of(codec);
    EXPECT_THAT(refusal(decompress(stream, data.size() - 1)), HasSubstr("more than 999999 bytes"));
    EXPECT_FALSE(decompress(stream, 0)) << name_of(codec);
    EXPECT_TRUE(decompress(packed("", codec), 0)) << name_of(codec);
  }
}

TEST(Decompress, CutOffAnywhereIsAnError) {
  const std::string data = sample_text(2000);
  for (const Codec codec : kReal) {
    const std::string stream = packed(data, codec);
    for (std::size_t size = 8; size < stream.size(); ++size) {
      EXPECT_FALSE(decompress(stream.substr(0, size))) << name_of(codec) << " " << size;
    }
  }
}

TEST(Decompress, ChangedBytesAreNoticedWhereThereIsAChecksum) {
  const std::string data = sample_text(2000);
  for (const Codec codec : kReal) {
    const std::string stream = packed(data, codec);
    for (std::size_t i = codec == Codec::kGzip ? 10 : 6; i < stream.size(); ++i) {
      std::string damaged = stream;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x11);
      const auto unpacked = decompress(damaged, 1 << 20);
      if (codec == Codec::kLz4 || !unpacked) continue;  // lz4 has none, but must not crash
      EXPECT_EQ(*unpacked, data) << name_of(codec) << " " << i;
    }
  }
}

TEST(Decompress, HugeClaimsAreErrors) {
  using std::string_literals::operator""s;
  // zstd frames that claim 2^62 bytes in one segment, and a window of 2^41 bytes.
  const std::string size_claim = "\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x40\x01\0\0"s;
  const std::string window_claim = "\x28\xb5\x2f\xfd\0\xf8\x01\0\0"s;
  EXPECT_FALSE(decompress(size_claim));
  EXPECT_FALSE(decompress(window_claim));
  EXPECT_FALSE(decompress("\x02\x21\x4c\x18\xff\xff\xff\xff"s));
  EXPECT_FALSE(decompress("\x02\x21\x4c\x18\xff\xff\xff\x00"s + std::string(1000, 'x')));
}

TEST(Decompress, RefusesOtherBytesBehindTheStream) {
  for (const Codec codec : kReal) {
    const std::string stream = packed("data", codec);
    EXPECT_EQ(decompress(stream + std::string(3, '\0')), "data") << name_of(codec);
    EXPECT_FALSE(decompress(stream + "data behind")) << name_of(codec);
  }
}

TEST(DecompressPrefix, TellsWhereTheStreamEnds) {
  for (const Codec codec : kReal) {
    const std::string stream = packed(sample_text(100'000), codec);
    const auto prefix = decompress_prefix(stream + std::string(4, '\0') + "070701 and more");
    ASSERT_TRUE(prefix) << name_of(codec);
    EXPECT_EQ(prefix->consumed, stream.size()) << name_of(codec);
    EXPECT_EQ(prefix->data.size(), 100'000U) << name_of(codec);
  }
}

TEST(DecompressStart, NeedsOnlyTheStartOfAStream) {
  const std::string data = sample_text(3'000'000);
  for (const Codec codec : kAll) {
    const std::string stream = packed(data, codec);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}}) {
      EXPECT_EQ(decompress_start(stream, size), data.substr(0, size)) << name_of(codec);
      EXPECT_EQ(decompress_start(stream.substr(0, stream.size() / 2), size), data.substr(0, size))
          << name_of(codec);
    }
    EXPECT_EQ(decompress_start(stream, data.size() + 1), data) << name_of(codec);
  }
}

TEST(DecompressStart, OfAStreamThatEndsTooEarlyIsNoMoreThanIsThere) {
  const std::string data = sample_text(3'000'000);
  for (const Codec codec : kReal) {
    const auto start = decompress_start(packed(data, codec).substr(0, 60), 4096);
    EXPECT_TRUE(!start || start->size() < 4096) << name_of(codec);
  }
}

}  // namespace
}  // namespace cpio
