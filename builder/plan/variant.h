// SPDX-License-Identifier: GPL-2.0-or-later
//
// How an image is laid out, from the most comfortable to the smallest. The binding moment of a
// capture is while the kernel unpacks the initrd, before it frees its own init memory (8 MiB of
// Linux 6.1) and the compressed initrd: what is unpacked after that lowers the reservation.
#pragma once

#include <array>
#include <string_view>

namespace kd {

struct Variant {
  std::string_view name;
  // Modules, programs and libraries are stored as single xz streams in an uncompressed archive,
  // and init unpacks each when it needs it: modules straight into init_module(2).
  bool packed = false;
};

inline constexpr std::array<Variant, 2> kVariants = {{
    {.name = "whole", .packed = false},
    {.name = "packed", .packed = true},
}};

}  // namespace kd
