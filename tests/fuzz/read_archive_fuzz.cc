// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes give entries or an error; entries that can be written again come back the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cpio/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entries = cpio::read_archive({reinterpret_cast<const char*>(data), size});
  if (!entries) return 0;
  const auto written = cpio::write_archive(*entries, 0);
  if (!written) return 0;
  const auto again = cpio::read_archive(*written);
  if (!again || again->size() < entries->size()) std::abort();
  for (const cpio::Entry& entry : *entries) {
    const bool same = std::any_of(again->begin(), again->end(), [&](const cpio::Entry& other) {
      return other.path == entry.path && other.mode == entry.mode && other.data == entry.data;
    });
    if (!same) std::abort();
  }
  return 0;
}
