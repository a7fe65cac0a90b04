// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kdinit {

// A number of `size` bytes at `offset`, which must lie inside.
inline std::uint64_t little_endian(std::span<const unsigned char> bytes, std::size_t offset,
                                   std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | bytes[offset + i];
  return value;
}

}  // namespace kdinit
