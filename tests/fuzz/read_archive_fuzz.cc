// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes give entries or an error; entries that can be written again come back the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cpio/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = cpio::read_archive_prefix({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  if (first->size > size) std::abort();
  const auto written = cpio::write_archive(first->entries, 0);
  if (!written) return 0;
  const auto again = cpio::read_archive_prefix(*written);
  if (!again || !again->trailer || again->entries.size() < first->entries.size()) std::abort();
  for (const cpio::Entry& entry : first->entries) {
    const bool same = std::ranges::any_of(again->entries, [&](const cpio::Entry& other) {
      return other.path == entry.path && other.mode == entry.mode && other.data == entry.data;
    });
    if (!same) std::abort();
  }
  return 0;
}
