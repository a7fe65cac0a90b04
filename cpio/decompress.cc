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

// How much to unpack.
struct Extent {
  std::size_t limit = 0;    // more is an error,
  bool start_only = false;  // or not wanted
};

tl::unexpected<kd::Error> over_limit(Codec codec, const Extent& extent) {
  return fail(ErrorKind::kFailed, "{} data unpack to more than {} bytes", name_of(codec),
              extent.limit);
}

// Calls step(input, room, size) until the stream ends. Room grows with what has really been
// unpacked: the size that a header claims may be anything.
template <typename Decoder>
Result<Decompressed> run(Codec codec, std::string_view data, const Extent& extent, Decoder&& step) {
  constexpr std::size_t kFirstRoom = 64 << 10;
  Decompressed result;
  std::size_t used = 0;
  for (;;) {
    if (used > extent.limit || (extent.start_only && used == extent.limit)) break;
    if (used == result.data.size()) {
      // One byte above the limit shows that there would be more.
      result.data.resize(std::min(extent.limit, std::max(kFirstRoom, 2 * used) - 1) + 1);
    }
    KD_TRY(const Step done, step(data.substr(result.consumed), result.data.data() + used,
                                 result.data.size() - used));
    result.consumed += done.consumed;
    used += done.produced;
    if (done.ended) break;
    if (done.consumed == 0 && done.produced == 0) return damaged(codec, "they are cut off");
  }
  if (used > extent.limit && !extent.start_only) return over_limit(codec, extent);
  result.data.resize(std::min(used, extent.limit));
  return result;
}

Result<Decompressed> unzstd(std::string_view data, const Extent& extent) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  return run(Codec::kZstd, data, extent,
             [&](std::string_view input, char* room, std::size_t size) -> Result<Step> {
               ZSTD_inBuffer in{input.data(), input.size(), 0};
               ZSTD_outBuffer out{room, size, 0};
               const std::size_t status = ZSTD_decompressStream(context.get(), &out, &in);
               if (ZSTD_isError(status)) return damaged(Codec::kZstd, ZSTD_getErrorName(status));
               return Step{in.pos, out.pos, status == 0};
             });
}

Result<Decompressed> gunzip(std::string_view data, const Extent& extent) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + 15) != Z_OK) {
    return fail(ErrorKind::kFailed, "gzip: out of memory");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  return run(Codec::kGzip, data, extent,
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

Result<Decompressed> unxz(std::string_view data, const Extent& extent) {
  constexpr std::uint64_t kMemory = 256 << 20;  // dictionaries of 128 MiB, twice what xz -9 uses
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMemory, 0) != LZMA_OK) {
    return fail(ErrorKind::kFailed, "xz: out of memory");
  }
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> owner(&stream, lzma_end);
  return run(Codec::kXz, data, extent,
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
Result<Decompressed> unlz4(std::string_view data, const Extent& extent) {
  Decompressed result;
  result.consumed = kLz4LegacyMagic.size();
  while (data.size() - result.consumed >= 4) {
    std::uint32_t size = 0;
    for (std::size_t i = 4; i-- > 0;) {
      size = size << 8 | static_cast<unsigned char>(data[result.consumed + i]);
    }
    if (size == 0) break;
    const std::string_view block = data.substr(result.consumed + 4, size);
    if ((block.size() < size && !extent.start_only) || size > LZ4_COMPRESSBOUND(kLz4BlockSize)) {
      return damaged(Codec::kLz4, fmt::format("a block of {} bytes, {} are left", size,
                                              data.size() - result.consumed - 4));
    }
    const std::size_t used = result.data.size();
    // A byte of lz4 stands for at most 255.
    std::size_t room = std::min(kLz4BlockSize, block.size() * 255);
    if (extent.start_only) room = std::min(room, extent.limit - used);
    result.data.resize(used + room);
    char* const end = result.data.data() + used;
    const int in = static_cast<int>(block.size()), out = static_cast<int>(room);
    const int made = extent.start_only
                         ? LZ4_decompress_safe_partial(block.data(), end, in, out, out)
                         : LZ4_decompress_safe(block.data(), end, in, out);
    if (made < 0) return damaged(Codec::kLz4, "a block cannot be decoded");
    result.data.resize(used + static_cast<std::size_t>(made));
    if (extent.start_only && (result.data.size() == extent.limit || block.size() < size)) break;
    if (result.data.size() > extent.limit) return over_limit(Codec::kLz4, extent);
    result.consumed += 4 + size;
  }
  return result;
}

Result<Decompressed> unpack(std::string_view data, const Extent& extent) {
  switch (codec_of(data)) {
    case Codec::kGzip:
      return gunzip(data, extent);
    case Codec::kXz:
      return unxz(data, extent);
    case Codec::kLz4:
      return unlz4(data, extent);
    case Codec::kZstd:
      return unzstd(data, extent);
    case Codec::kNone:
      break;
  }
  if (extent.start_only) data = data.substr(0, extent.limit);
  if (data.size() > extent.limit) return over_limit(Codec::kNone, extent);
  return Decompressed{std::string(data), data.size()};
}

}  // namespace

Result<Decompressed> decompress_prefix(std::string_view data, std::size_t limit) {
  return unpack(data, {.limit = limit});
}

Result<std::string> decompress_start(std::string_view data, std::size_t size) {
  KD_TRY(Decompressed result, unpack(data, {.limit = size, .start_only = true}));
  return std::move(result.data);
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
