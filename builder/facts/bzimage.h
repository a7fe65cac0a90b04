// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/base/result.h"

namespace kd {

// From the header of an x86 bzImage (Documentation/arch/x86/boot.rst, offsets 0x1f1..0x268).
struct BzImage {
  std::uint16_t protocol = 0;      // 0x020f for 2.15
  std::uint64_t init_size = 0;     // bytes the kernel needs from its load address while it starts
  std::uint64_t file_size = 0;     // bytes
  std::uint64_t payload_size = 0;  // bytes of the compressed vmlinux inside
  std::uint32_t alignment = 0;     // of the load address, bytes
  bool relocatable = false;
  std::string version;  // the release at the start of the version string
};

// Whether a file that starts like this has the header's mark; images of other architectures do not.
bool is_bzimage(std::string_view start);

// `start` is at least the setup code, 128 KiB at most, of a file of `file_size` bytes. Needs
// protocol 2.10 (Linux 2.6.31), the first with init_size.
Result<BzImage> parse_bzimage(std::string_view start, std::uint64_t file_size);

}  // namespace kd
