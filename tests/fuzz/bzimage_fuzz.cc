// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>

#include "builder/facts/bzimage.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)kd::parse_bzimage({reinterpret_cast<const char*>(data), size}, size);
  return 0;
}
