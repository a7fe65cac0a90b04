// SPDX-License-Identifier: GPL-2.0-or-later
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "cpio/compression.h"
#include "cpio/lz4_legacy.h"

namespace cpio {
namespace {

using kd::ErrorKind;
using kd::fail;
using kd::Result;

// What one call of a decoder took, made, and whether the stream has ended with it.
struct Step {
  std::size_t consumed = 0;
  std::size_t produced = 0;
  bool ended = false;
};

tl::unexpected<kd::Error> damaged(Codec codec, std::string_view why) {
  return fail(ErrorKind::kFailed, "damaged {} data: {}", name_of(codec), why);
}

tl::unexpected<kd::Error> over_limit(Codec codec, std::size_t limit) {
  return fail(ErrorKind::kFailed, "{} data unpack to more than {} bytes", name_of(codec), limit);
}

// Calls step(input, room, size) until the stream ends. Room grows with what has really been
// unpacked: the size that a header claims may be anything.
template <typename Decoder>
Result<Decompressed> run(Codec codec, std::string_view data, std::size_t limit, Decoder&& step) {
  constexpr std::size_t kFirstRoom = 64 << 10;
  Decompressed result;
  std::size_t used = 0;
  for (;;) {
    if (used > limit) return over_limit(codec, limit);
    if (used == result.data.size()) {
      // One byte above the limit shows that there would be more.
      result.data.resize(std::min(limit, std::max(kFirstRoom, 2 * used) - 1) + 1);
    }
    KD_TRY(const Step done, step(data.substr(result.consumed), result.data.data() + used,
                                 result.data.size() - used));
    result.consumed += done.consumed;
    used += done.produced;
    if (done.ended) break;
    if (done.consumed == 0 && done.produced == 0) return damaged(codec, "they are cut off");
  }
  if (used > limit) return over_limit(codec, limit);
  result.data.resize(used);
  return result;
}

Result<Decompressed> unzstd(std::string_view data, std::size_t limit) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  return run(Codec::kZstd, data, limit,
             [&](std::string_view input, char* room, std::size_t size) -> Result<Step> {
               ZSTD_inBuffer in{input.data(), input.size(), 0};
               ZSTD_outBuffer out{room, size, 0};
               const std::size_t status = ZSTD_decompressStream(context.get(), &out, &in);
               if (ZSTD_isError(status)) return damaged(Codec::kZstd, ZSTD_getErrorName(status));
               return Step{in.pos, out.pos, status == 0};
             });
}

Result<Decompressed> gunzip(std::string_view data, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + 15) != Z_OK) {
    return fail(ErrorKind::kFailed, "gzip: out of memory");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  return run(Codec::kGzip, data, limit,
             [&](std::string_view input, char* room, std::size_t size) -> Result<Step> {
               constexpr std::size_t kMax = std::numeric_limits<uInt>::max();
               const auto in = static_cast<uInt>(std::min(input.size(), kMax));
               const auto out = static_cast<uInt>(std::min(size, kMax));
               stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
               stream.avail_in = in;
               stream.next_out = reinterpret_cast<Bytef*>(room);
               stream.avail_out = out;
               const int status = inflate(&stream, Z_NO_FLUSH);
               if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
                 return damaged(Codec::kGzip, stream.msg == nullptr ? zError(status) : stream.msg);
               }
               return Step{in - stream.avail_in, out - stream.avail_out, status == Z_STREAM_END};
             });
}

Result<Decompressed> unxz(std::string_view data, std::size_t limit) {
  constexpr std::uint64_t kMemory = 256 << 20;  // dictionaries of 128 MiB, twice what xz -9 uses
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMemory, 0) != LZMA_OK) {
    return fail(ErrorKind::kFailed, "xz: out of memory");
  }
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> owner(&stream, lzma_end);
  return run(Codec::kXz, data, limit,
             [&](std::string_view input, char* room, std::size_t size) -> Result<Step> {
               stream.next_in = reinterpret_cast<const std::uint8_t*>(input.data());
               stream.avail_in = input.size();
               stream.next_out = reinterpret_cast<std::uint8_t*>(room);
               stream.avail_out = size;
               const lzma_ret status = lzma_code(&stream, LZMA_RUN);
               if (status == LZMA_MEMLIMIT_ERROR) {
                 return damaged(Codec::kXz, "they need more than 256 MiB to unpack");
               }
               if (status != LZMA_OK && status != LZMA_STREAM_END && status != LZMA_BUF_ERROR) {
                 return damaged(Codec::kXz, fmt::format("liblzma error {}", int{status}));
               }
               return Step{input.size() - stream.avail_in, size - stream.avail_out,
                           status == LZMA_STREAM_END};
             });
}

// Ends where the kernel ends: before a size of zero, or with fewer than four bytes left.
Result<Decompressed> unlz4(std::string_view data, std::size_t limit) {
  Decompressed result;
  result.consumed = kLz4LegacyMagic.size();
  while (data.size() - result.consumed >= 4) {
    std::uint32_t size = 0;
    for (std::size_t i = 4; i-- > 0;) {
      size = size << 8 | static_cast<unsigned char>(data[result.consumed + i]);
    }
    if (size == 0) break;
    const std::string_view block = data.substr(result.consumed + 4, size);
    if (block.size() < size || size > LZ4_COMPRESSBOUND(kLz4BlockSize)) {
      return damaged(Codec::kLz4, fmt::format("a block of {} bytes, {} are left", size,
                                              data.size() - result.consumed - 4));
    }
    const std::size_t used = result.data.size();
    // A byte of lz4 stands for at most 255.
    result.data.resize(used + std::min(kLz4BlockSize, block.size() * 255));
    const int made =
        LZ4_decompress_safe(block.data(), result.data.data() + used, static_cast<int>(block.size()),
                            static_cast<int>(result.data.size() - used));
    if (made < 0) return damaged(Codec::kLz4, "a block cannot be decoded");
    result.data.resize(used + static_cast<std::size_t>(made));
    if (result.data.size() > limit) return over_limit(Codec::kLz4, limit);
    result.consumed += 4 + size;
  }
  return result;
}

}  // namespace

Result<Decompressed> decompress_prefix(std::string_view data, std::size_t limit) {
  switch (codec_of(data)) {
    case Codec::kGzip:
      return gunzip(data, limit);
    case Codec::kXz:
      return unxz(data, limit);
    case Codec::kLz4:
      return unlz4(data, limit);
    case Codec::kZstd:
      return unzstd(data, limit);
    case Codec::kNone:
      break;
  }
  if (data.size() > limit) return over_limit(Codec::kNone, limit);
  return Decompressed{std::string(data), data.size()};
}

Result<std::string> decompress(std::string_view data, std::size_t limit) {
  KD_TRY(Decompressed result, decompress_prefix(data, limit));
  if (const std::size_t rest = data.find_first_not_of('\0', result.consumed); rest != data.npos) {
    return fail(ErrorKind::kFailed, "{} data end at offset {}, but other bytes follow",
                name_of(codec_of(data)), result.consumed);
  }
  return std::move(result.data);
}

}  // namespace cpio
