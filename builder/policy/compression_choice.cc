// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/compression_choice.h"

namespace kd {
namespace {

bool kernel_reads(const KernelFacts& kernel, cpio::Codec codec) {
  return codec == cpio::Codec::kNone || kernel.may_have(cpio::kernel_option(codec));
}

}  // namespace

Result<CompressionChoice> choose_compression(const CompressionRequest& request,
                                             const InitramfsConfig& additions,
                                             const KernelFacts& kernel) {
  const bool from_command_line = !request.codec.empty();
  const std::string& name = from_command_line ? request.codec : additions.compress;
  CompressionChoice choice;
  if (!name.empty()) {
    const std::optional<cpio::Codec> codec = cpio::codec_from_name(name);
    if (!codec) {
      return fail(ErrorKind::kUsage, "{} {}: unknown; use zstd, gzip, xz, lz4 or none",
                  from_command_line ? "--compress" : "COMPRESS=", name);
    }
    choice.compression.codec = *codec;
  }
  choice.compression.level = request.level;
  // A level in the configuration belongs to the codec named there.
  if (!request.level && !from_command_line) choice.compression.level = additions.level;

  const cpio::Codec wanted = choice.compression.codec;
  if (!kernel_reads(kernel, wanted)) {
    const cpio::Codec usable =
        kernel_reads(kernel, cpio::Codec::kGzip) ? cpio::Codec::kGzip : cpio::Codec::kNone;
    choice.compression = {.codec = usable, .level = std::nullopt};
    choice.warning =
        fmt::format("kernel {} was built without {}, using {} in place of {}", kernel.version,
                    cpio::kernel_option(wanted), cpio::name_of(usable), cpio::name_of(wanted));
  }
  return choice;
}

}  // namespace kd
