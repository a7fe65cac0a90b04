// SPDX-License-Identifier: GPL-2.0-or-later
//
// The pool of thin volumes as its own metadata describe it, which has to be looked at before the
// kernel starts it: where there is no superblock, the kernel formats the device; of a pool that is
// full, it takes writes and loses them. Pure; for init and for the builder, which sees with it
// before the crash what init would refuse. Format: drivers/md/dm-thin-metadata.c and
// drivers/md/persistent-data/dm-space-map-common.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "builder/init/storage/block_reader.h"
#include "builder/init/storage/lvm.h"

namespace kdinit::thin {

inline constexpr std::size_t kBlockSize = 4096;  // of the metadata

// Of a space map: how much there is, and how much of it is taken.
struct Blocks {
  std::uint64_t all = 0, used = 0;
  [[nodiscard]] std::uint64_t free() const { return used < all ? all - used : 0; }
};

struct Superblock {
  bool needs_check = false;
  bool foreign = false;           // features that the kernel does not write with
  bool snapshot = false;          // of the metadata, for a tool that reads them; it holds chunks
  std::uint64_t transaction = 0;  // of user space
  std::uint64_t chunk = 0;        // sectors
  Blocks data;                    // chunks
  Blocks metadata;                // of 4 KiB
};

// `offset` is where the device with the metadata begins. False when there is none, or a damaged
// one.
bool read_superblock(BlockReader& device, std::uint64_t offset, Superblock& superblock);

// Bytes that may still be written to volumes of the pool, whatever they say themselves: its free
// chunks, as far as it can note down where they are. A pool that has promised no more than it has
// always has its chunks, unless others hold some: a volume that the group deletes just now, a
// snapshot of the metadata, more than is promised. Some are left for what else is written than a
// dump.
std::uint64_t room(const Superblock& superblock, const lvm::ThinPool& pool);

// Why the pool is not started, with what helps.
lvm::Refusal check(const Superblock& superblock, const lvm::ThinPool& pool);
// The same of what is at `offset`; `bytes` is its room().
lvm::Refusal check(BlockReader& device, std::uint64_t offset, const lvm::ThinPool& pool,
                   std::uint64_t& bytes);

}  // namespace kdinit::thin
