// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "builder/write/manifest.h"

// What is accepted must survive being written and read again; bytes that are no UTF-8 are replaced.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto manifest = kd::manifest_from_json({reinterpret_cast<const char*>(data), size});
  if (!manifest) return 0;
  const auto again = kd::manifest_from_json(kd::manifest_to_json(*manifest));
  if (!again || !kd::differences(*manifest, *again).empty()) std::abort();
  return 0;
}
