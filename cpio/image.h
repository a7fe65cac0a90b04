// SPDX-License-Identifier: GPL-2.0-or-later
//
// A whole initrd: segments, each an archive that may be compressed, each starting 4-byte aligned
// (the kernel ignores everything after one that does not).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cpio/archive.h"
#include "cpio/compression.h"

namespace cpio {

struct SegmentContent {
  Codec codec = Codec::kNone;
  std::size_t offset = 0;         // in the image
  std::size_t stored_size = 0;    // bytes in the image, without padding
  std::size_t unpacked_size = 0;  // bytes of the archive
  bool trailer = false;
  std::vector<Entry> entries;
};

// Reads any initrd made of newc segments that ends in a trailer.
// Uncompressed segments without a trailer between them are read as one.
kd::Result<std::vector<SegmentContent>> read_image(std::string_view image);

}  // namespace cpio
