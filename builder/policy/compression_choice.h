// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "builder/facts/initramfs_config.h"
#include "builder/facts/kernel.h"
#include "cpio/compression.h"

namespace kd {

struct CompressionRequest {
  std::string codec;         // of --compress, empty when not given
  std::optional<int> level;  // of --level
};

struct CompressionChoice {
  cpio::Compression compression;
  std::string warning;  // why it is not what was asked for; empty when it is
};

// The command line wins over COMPRESS= and COMPRESSLEVEL=, which win over zstd. A codec the kernel
// was built without is replaced by gzip, and by none where the kernel lacks that too.
// An unknown name is ErrorKind::kUsage.
[[nodiscard]] Result<CompressionChoice> choose_compression(const CompressionRequest& request,
                                                           const InitramfsConfig& additions,
                                                           const KernelFacts& kernel);

}  // namespace kd
