// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "builder/base/result.h"

namespace cpio {

enum class Codec { kNone, kGzip, kXz, kLz4, kZstd };

std::string_view name_of(Codec codec);  // "none", "gzip", "xz", "lz4", "zstd"
std::optional<Codec> codec_from_name(std::string_view name);
// The kernel option that lets a kernel unpack it ("CONFIG_RD_ZSTD"); empty for kNone.
std::string_view kernel_option(Codec codec);
// By the magic at the start of `data`; kNone for everything else.
Codec codec_of(std::string_view data);

struct Compression {
  Codec codec = Codec::kZstd;
  // In the codec's own range. None: zstd 3, gzip 9, xz 9, lz4 12.
  std::optional<int> level;
  // zstd and xz: log2 of the window (dictionary) in bytes, 12..27. The kernel's decompressor
  // allocates it inside the reservation, so 17 (128 KiB) needs 8 MiB less than zstd -19's own
  // choice for a file only some percent larger.
  int window_log = 17;
  unsigned threads = 1;  // used by zstd; never changes the bytes
};

// One stream that the Linux kernel's initramfs unpacker reads: xz with CRC32 and no BCJ filter,
// lz4 in the legacy format, zstd as one frame with its content size in the header, so that a
// one-shot decoder can read it too. No times, names or machine properties go in. NOT padded.
kd::Result<std::string> compress(std::string_view data, const Compression& compression);

inline constexpr std::size_t kDefaultLimit = std::size_t{1} << 32;

struct Decompressed {
  std::string data;
  std::size_t consumed = 0;  // bytes of the input the stream takes up
};
// The stream at the start of `data`, where something else may follow.
kd::Result<Decompressed> decompress_prefix(std::string_view data,
                                           std::size_t limit = kDefaultLimit);

// The first `size` bytes of what the stream at the start of `data` unpacks to, or all of less.
// `data` may be cut off behind them.
kd::Result<std::string> decompress_start(std::string_view data, std::size_t size);

// Detects the codec by its magic; data with no known magic are returned as they are. Refuses to
// produce more than `limit` bytes, and streams with more behind them than zeros. Also reads
// .ko.xz, .ko.zst and .ko.gz.
kd::Result<std::string> decompress(std::string_view data, std::size_t limit = kDefaultLimit);

}  // namespace cpio
