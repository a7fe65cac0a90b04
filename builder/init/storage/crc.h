// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace kdinit {

// A CRC of 32 bits, reflected, that goes on from `value`, without a final inversion. By nibbles:
// the usual table would take a KiB of the image.
template <std::uint32_t kPolynomial>
std::uint32_t plain_crc(std::uint32_t value, std::span<const unsigned char> bytes) {
  constexpr auto kTable = [] {
    std::array<std::uint32_t, 16> table{};
    for (std::uint32_t i = 0; i < 16; ++i) {
      table[i] = i;
      for (int bit = 0; bit < 4; ++bit) {
        table[i] = table[i] & 1 ? table[i] >> 1 ^ kPolynomial : table[i] >> 1;
      }
    }
    return table;
  }();
  for (const unsigned char byte : bytes) {
    value ^= byte;
    value = value >> 4 ^ kTable[value & 15];
    value = value >> 4 ^ kTable[value & 15];
  }
  return value;
}

}  // namespace kdinit
