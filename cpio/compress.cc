// SPDX-License-Identifier: GPL-2.0-or-later
#include <lz4hc.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "cpio/compression.h"
#include "cpio/lz4_legacy.h"

namespace cpio {
namespace {

using kd::ErrorKind;
using kd::fail;
using kd::Result;

struct LevelRange {
  int low = 0;
  int high = 0;
};

struct CodecTraits {
  Codec codec;
  std::string_view name;
  std::string_view kernel_option;
  std::string_view magic;
  LevelRange levels;
  int default_level;
};

// The magics are those the kernel looks for in lib/decompress.c, made long enough to be sure.
//
// zstd at level 3, because a boot waits for the first image. Measured with libzstd 1.5.4 on an
// archive of 5.52 MB (makedumpfile, its libraries, ext4 and virtio modules), window 2^17, jobs as
// below; seconds of CPU of a whole build, and of one on the only CPU of an emulated machine:
//     level 1   2.158 MB          1.3 s      level 9   1.871 MB  0.19 s  1.9 s
//     level 3   2.028 MB  0.12 s  1.4 s      level 12  1.865 MB  0.25 s
//     level 5   1.937 MB  0.14 s  1.7 s      level 16  1.805 MB  1.03 s
//     level 6   1.887 MB  0.16 s  2.0 s      level 19  1.686 MB
// The best of them saves 0.3 MiB of the reservation, the packed layout 3 MiB. Same archive: gzip -9
// 1.922 MB, xz 1.533 MB, lz4 2.288 MB.
constexpr std::array<CodecTraits, 5> kCodecs = {{
    {Codec::kNone, "none", "", "", {0, 0}, 0},
    {Codec::kGzip, "gzip", "CONFIG_RD_GZIP", "\x1f\x8b\x08", {1, 9}, 9},
    {Codec::kXz, "xz", "CONFIG_RD_XZ", {"\xfd\x37zXZ\0", 6}, {0, 9}, 9},
    {Codec::kLz4, "lz4", "CONFIG_RD_LZ4", kLz4LegacyMagic, {1, LZ4HC_CLEVEL_MAX}, LZ4HC_CLEVEL_MAX},
    {Codec::kZstd, "zstd", "CONFIG_RD_ZSTD", "\x28\xb5\x2f\xfd", {1, 22}, 3},
}};

const CodecTraits& traits_of(Codec codec) { return kCodecs[static_cast<std::size_t>(codec)]; }

Result<std::string> gzip(std::string_view data, int level) {
  z_stream stream{};
  // 16 + 15: a gzip header, which without deflateSetHeader() has neither time nor name.
  if (deflateInit2(&stream, level, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return fail(ErrorKind::kFailed, "gzip: out of memory");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, deflateEnd);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
    return fail(ErrorKind::kFailed, "gzip: {} bytes cannot be compressed", data.size());
  }
  out.resize(stream.total_out);
  return out;
}

Result<std::string> xz(std::string_view data, int level, int window_log) {
  lzma_options_lzma options{};
  if (lzma_lzma_preset(&options, static_cast<std::uint32_t>(level))) {
    return fail(ErrorKind::kFailed, "xz: liblzma does not know level {}", level);
  }
  options.dict_size = std::uint32_t{1} << window_log;
  std::array<lzma_filter, 2> filters = {
      {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}}};
  std::string out(lzma_stream_buffer_bound(data.size()), '\0');
  std::size_t size = 0;
  const lzma_ret status = lzma_stream_buffer_encode(
      filters.data(), LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(data.data()),
      data.size(), reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size());
  if (status != LZMA_OK) {
    return fail(ErrorKind::kFailed, "xz: liblzma error {}", static_cast<int>(status));
  }
  out.resize(size);
  return out;
}

Result<std::string> lz4(std::string_view data, int level) {
  std::string out(kLz4LegacyMagic);
  while (!data.empty()) {
    const std::string_view block = data.substr(0, kLz4BlockSize);
    const auto block_size = static_cast<int>(block.size());
    std::string packed(static_cast<std::size_t>(LZ4_compressBound(block_size)), '\0');
    const int size = LZ4_compress_HC(block.data(), packed.data(), block_size,
                                     static_cast<int>(packed.size()), level);
    if (size <= 0)
      return fail(ErrorKind::kFailed, "lz4: {} bytes cannot be compressed", block_size);
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(size >> shift);
    out.append(packed, 0, static_cast<std::size_t>(size));
    data.remove_prefix(block.size());
  }
  return out;
}

constexpr int kMinWindowLog = 12;
constexpr int kMaxWindowLog = 27;  // ZSTD_WINDOWLOG_LIMIT_DEFAULT: the kernel refuses larger ones
constexpr unsigned kMaxThreads = 64;

// A quarter of the data, whatever the number of threads: four jobs keep two cores and four cores
// busy to the end.
int job_size(std::size_t size) {
  constexpr std::size_t kSmallest = 512 << 10;  // ZSTDMT_JOBSIZE_MIN
  constexpr std::size_t kJobs = 4;
  return static_cast<int>(std::max(size / kJobs + 1, kSmallest));
}

using ZstdContext = std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)>;

// One worker at least: the code that runs without workers writes other bytes, and with them the
// bytes depend on the job size alone.
Result<std::string> zstd(std::string_view data, const Compression& compression, int level) {
  const ZstdContext context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  const std::array<std::pair<ZSTD_cParameter, int>, 6> parameters = {{
      {ZSTD_c_windowLog, compression.window_log},
      {ZSTD_c_nbWorkers, static_cast<int>(std::clamp(compression.threads, 1U, kMaxThreads))},
      {ZSTD_c_jobSize, job_size(data.size())},
      {ZSTD_c_checksumFlag, 1},  // so that zstd -t and read_image() can prove a file whole
      {ZSTD_c_overlapLog, 9},    // each job sees a whole window of the job before it
      {ZSTD_c_compressionLevel, level},
  }};
  std::size_t status = 0;
  for (const auto& [parameter, value] : parameters) {
    status = ZSTD_CCtx_setParameter(context.get(), parameter, value);
    if (ZSTD_isError(status)) break;
  }
  std::string out(ZSTD_compressBound(data.size()), '\0');
  if (!ZSTD_isError(status)) {
    status = ZSTD_compress2(context.get(), out.data(), out.size(), data.data(), data.size());
  }
  if (ZSTD_isError(status)) {
    return fail(ErrorKind::kFailed, "zstd: {}", ZSTD_getErrorName(status));
  }
  out.resize(status);
  return out;
}

}  // namespace

std::string_view name_of(Codec codec) { return traits_of(codec).name; }

std::optional<Codec> codec_from_name(std::string_view name) {
  for (const CodecTraits& traits : kCodecs) {
    if (traits.name == name) return traits.codec;
  }
  return std::nullopt;
}

std::string_view kernel_option(Codec codec) { return traits_of(codec).kernel_option; }

Codec codec_of(std::string_view data) {
  for (const CodecTraits& traits : kCodecs) {
    if (!traits.magic.empty() && data.starts_with(traits.magic)) return traits.codec;
  }
  return Codec::kNone;
}

Result<std::string> compress(std::string_view data, const Compression& compression) {
  const CodecTraits& traits = traits_of(compression.codec);
  if (traits.codec == Codec::kNone) return std::string(data);
  const int level = compression.level.value_or(traits.default_level);
  if (compression.level && (level < traits.levels.low || level > traits.levels.high)) {
    return fail(ErrorKind::kUsage, "{} has no level {}; choose one from {} to {}", traits.name,
                level, traits.levels.low, traits.levels.high);
  }
  if (compression.window_log < kMinWindowLog || compression.window_log > kMaxWindowLog) {
    return fail(ErrorKind::kUsage, "no window of 2^{} bytes; choose a power from {} to {}",
                compression.window_log, kMinWindowLog, kMaxWindowLog);
  }
  // zlib counts in 32 bits, and nothing this big could be unpacked in a capture kernel.
  if (data.size() > std::size_t{1} << 31) {
    return fail(ErrorKind::kFailed, "{}: {} bytes are too many for an initrd", traits.name,
                data.size());
  }
  switch (traits.codec) {
    case Codec::kGzip:
      return gzip(data, level);
    case Codec::kXz:
      return xz(data, level, compression.window_log);
    case Codec::kLz4:
      return lz4(data, level);
    default:
      return zstd(data, compression, level);
  }
}

}  // namespace cpio
