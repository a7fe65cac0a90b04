// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cpio/compression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLimit = 1 << 20;
  const auto unpacked =
      cpio::decompress_prefix({reinterpret_cast<const char*>(data), size}, kLimit);
  if (unpacked && (unpacked->consumed > size || unpacked->data.size() > kLimit)) std::abort();
  return 0;
}
