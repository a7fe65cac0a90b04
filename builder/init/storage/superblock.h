// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which file system is on a device: the part of libblkid that init needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/text.h"

namespace kdinit {

// The two places of a device that say it all: reading 68 KiB of every disk would cost more memory
// than init has text.
struct DevicePieces {
  static constexpr std::size_t kHeadSize = 2048;                     // at 0: xfs, ext, vfat
  static constexpr std::size_t kDeepOffset = std::size_t{64} << 10;  // btrfs
  static constexpr std::size_t kDeepSize = 512;
  std::array<std::byte, kHeadSize> head{};  // zero where the device is shorter
  std::array<std::byte, kDeepSize> deep{};
};

struct Superblock {
  std::string_view type;      // "ext4", as blkid names it; empty: nothing known
  Text<40> uuid;              // as blkid prints it
  std::uint64_t members = 1;  // devices that belong to the file system (btrfs may have several)
  std::uint64_t member = 0;   // which of them this one is
};

// Looks for `preferred` ("ext2", "ext3" and "ext4" are one family) before the other types: an old
// superblock of another file system may still be there. Returns false when nothing is known.
bool identify(const DevicePieces& pieces, std::string_view preferred, Superblock& found);

// True when a file system `found` may be mounted as `wanted`.
bool same_family(std::string_view found, std::string_view wanted);

}  // namespace kdinit
