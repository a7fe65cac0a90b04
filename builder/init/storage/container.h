// SPDX-License-Identifier: GPL-2.0-or-later
//
// What hides whatever else seems to be on a device: a member of an md array shows the file system
// of the array at the same place, and writing to it alone splits the array.
#pragma once

#include <string_view>

#include "builder/init/storage/block_reader.h"

namespace kdinit {

inline constexpr std::string_view kMdMember = "linux_raid_member";
inline constexpr std::string_view kIswMember = "isw_raid_member";
inline constexpr std::string_view kDdfMember = "ddf_raid_member";
inline constexpr std::string_view kLuksVolume = "crypto_LUKS";
inline constexpr std::string_view kLvmMember = "LVM2_member";

// Its name as blkid has it, empty without one. Looks in all their places, md first: the physical
// volume on a mirror is to be seen on each of its members as well. A whole disk whose last
// partition ends with a superblock of md 0.90 or 1.0 can look like a member itself.
std::string_view container_on(BlockReader& device);

}  // namespace kdinit
