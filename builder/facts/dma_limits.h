// SPDX-License-Identifier: GPL-2.0-or-later
//
// What may make a capture kernel set up bounce buffers (swiotlb), which take 64 MiB of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"

namespace kd {

inline constexpr std::string_view kSev = "sev";    // a guest with memory encrypted by AMD SEV
inline constexpr std::string_view kTdx = "tdx";    // by Intel TDX
inline constexpr std::string_view kSme = "sme";    // a host that can encrypt its own memory
inline constexpr std::string_view kHigh = "high";  // a part of the reservation is above 4 GiB
inline constexpr std::string_view kSrat = "srat";  // firmware lists all memory for NUMA

// Of /proc/cpuinfo. The flag sev alone is that of a host which can have such guests.
std::vector<std::string> parse_memory_encryption(std::string_view cpuinfo);

// Those of this machine but kHigh, in a fixed order.
std::vector<std::string> read_dma_limits(const FileReader& reader);

}  // namespace kd
