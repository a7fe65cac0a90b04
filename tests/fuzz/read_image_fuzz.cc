// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cpio/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto segments = cpio::read_image({reinterpret_cast<const char*>(data), size});
  if (!segments) return 0;
  for (const cpio::SegmentContent& segment : *segments) {
    if (segment.offset % 4 != 0 || segment.offset + segment.stored_size > size) std::abort();
  }
  return 0;
}
