// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/base/result.h"

namespace kd {

// From the header of an x86 bzImage (Documentation/arch/x86/boot.rst).
struct BzImage {
  bool relocatable = false;     // it can run in the reservation
  std::uint64_t alignment = 0;  // bytes; where it may be placed: kernel_alignment
  std::uint64_t init_size = 0;  // bytes in one piece that it needs until it has unpacked itself
  std::uint64_t payload = 0;    // where the compressed vmlinux lies in the file
  std::uint64_t payload_size = 0;
};

// Whether a file that starts like this has the header's mark; images of other architectures do not.
bool is_bzimage(std::string_view start);

// `start` is at least the header of a file of `file_size` bytes, which has to hold the whole
// kernel. Needs protocol 2.10 (Linux 2.6.31).
Result<BzImage> parse_bzimage(std::string_view start, std::uint64_t file_size);

}  // namespace kd
