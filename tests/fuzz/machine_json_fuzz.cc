// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "builder/facts/machine_json.h"

// What is accepted must survive being written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto machine = kd::machine_from_json({reinterpret_cast<const char*>(data), size});
  if (!machine) return 0;
  const auto again = kd::machine_from_json(kd::machine_to_json(*machine));
  if (!again || *again != *machine) std::abort();
  return 0;
}
