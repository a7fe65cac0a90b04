// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the text of a volume group says of pools and of the thin volumes in them.
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/init/storage/lvm.h"

namespace kdinit::lvm {

inline constexpr std::string_view kThinType = "thin", kPoolType = "thin-pool";

// Of the segment of a thin volume: the name of its pool, and its number there.
Refusal read_thin_settings(std::string_view segment, ThinPool& pool);
// Of the segment of that pool: the rest, but for ThinPool::promised.
Refusal read_pool_settings(std::string_view segment, ThinPool& pool);
// See ThinPool::promised; `volumes` is the section of all.
std::uint64_t promised_chunks(std::string_view volumes, const ThinPool& pool,
                              std::uint64_t extent_size);

}  // namespace kdinit::lvm
