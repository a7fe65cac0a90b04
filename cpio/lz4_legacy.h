// SPDX-License-Identifier: GPL-2.0-or-later
//
// The lz4 format of the kernel ("lz4 -l"): the magic, then blocks of 8 MiB (the last may be
// shorter), each a little-endian 32-bit compressed size and the bytes. No end mark: the kernel
// stops at a size of zero or at the end of the initrd.
#pragma once

#include <cstddef>
#include <string_view>

namespace cpio {

inline constexpr std::string_view kLz4LegacyMagic = "\x02\x21\x4c\x18";
inline constexpr std::size_t kLz4BlockSize = std::size_t{8} << 20;

}  // namespace cpio
