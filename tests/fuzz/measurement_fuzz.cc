// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "builder/fit/measurement.h"

// Reads what a capture kernel wrote, and what was kept of it; the latter survives being written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& measured :
       {kd::measurement_from_report(text, "a capture"), kd::measurement_from_json(text)}) {
    if (!measured) continue;
    const auto again = kd::measurement_from_json(kd::measurement_to_json(*measured));
    if (!again || *again != *measured) std::abort();
  }
  return 0;
}
