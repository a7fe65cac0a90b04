// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "builder/facts/kernel_image.h"
#include "builder/facts/pe_signature.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view start(reinterpret_cast<const char*>(data), size);
  (void)kd::has_pe_signature(start);
  const auto image = kd::parse_kernel_image(start, size, true);
  // One that is understood can be placed in what it asks for.
  if (image && (image->memory > image->piece || (image->memory == 0) != (image->piece == 0))) {
    std::abort();
  }
  return 0;
}
