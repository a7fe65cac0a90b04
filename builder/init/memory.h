// SPDX-License-Identifier: GPL-2.0-or-later
//
// Memory figures of the capture kernel, in KiB.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace kdinit {

struct Memory {
  std::uint64_t total = 0;      // MemTotal
  std::uint64_t free = 0;       // MemFree
  std::uint64_t available = 0;  // MemAvailable
  std::uint64_t cached = 0;     // Cached: at the start of init, the files of the image
};

// From the text of /proc/meminfo; what is missing there stays 0.
Memory parse_meminfo(std::string_view text);

// Bytes of the top-level "System RAM" ranges of /proc/iomem: what kexec gave to this kernel.
// 0 where addresses are hidden.
std::uint64_t parse_iomem_ram(std::string_view text);

inline Memory lowest(const Memory& a, const Memory& b) {
  return {a.total, std::min(a.free, b.free), std::min(a.available, b.available)};
}

}  // namespace kdinit
