// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/thin_pool.h"

#include <algorithm>
#include <array>
#include <limits>

#include "builder/init/storage/crc.h"
#include "builder/init/storage/little_endian.h"

namespace kdinit::thin {
namespace {

// struct thin_disk_superblock
constexpr std::size_t kFlags = 4, kNumber = 8, kMagic = 32, kVersion = 40, kTransaction = 48,
                      kSnapshot = 56, kData = 64, kMetadata = 192, kChunk = 336,
                      kReadOnlyFeatures = 356, kFeatures = 360;
constexpr std::uint64_t kThinMagic = 27022010;
constexpr std::uint64_t kThinVersion = 2;
constexpr std::uint32_t kChecksumXor = 160774;
constexpr std::uint64_t kNeedsCheck = 1;

// struct disk_sm_root
Blocks blocks_at(std::span<const unsigned char> block, std::size_t place) {
  return {.all = little_endian(block, place, 8), .used = little_endian(block, place + 8, 8)};
}

// What else is written finds a chunk for each of its places in the worst case: journal, directory,
// inodes, bitmaps, log, report. Of small chunks that is what log and report take.
constexpr std::uint64_t kOtherChunks = 8;
constexpr std::uint64_t kOtherBytes = std::uint64_t{8} << 20;
std::uint64_t others(const lvm::ThinPool& pool) {
  return std::max(kOtherChunks, kOtherBytes / 512 / pool.chunk);
}

// Below this many the kernel takes no more writes (__set_metadata_reserve()).
std::uint64_t reserve(const Blocks& metadata) {
  constexpr std::uint64_t kMost = 4096;
  return std::min(kMost, metadata.all / 10);
}

// A leaf has 252 chunks (calc_max_entries() in dm-btree.c), and half of them when it has been
// split. Beside leaves a transaction copies what leads to them.
constexpr std::uint64_t kChunksOfLeaf = 126;
constexpr std::uint64_t kBlocksBeside = 32;
std::uint64_t chunks_that_can_be_noted(const Blocks& metadata) {
  const std::uint64_t kept = reserve(metadata) + kBlocksBeside;
  return metadata.free() > kept ? (metadata.free() - kept) * kChunksOfLeaf : 0;
}

std::uint64_t free_chunks(const Superblock& superblock, const lvm::ThinPool& pool) {
  const std::uint64_t noted = chunks_that_can_be_noted(superblock.metadata);
  const Blocks& data = superblock.data;
  const bool keeps_its_word = pool.promised <= data.all && data.used <= pool.promised &&
                              !pool.pending && !superblock.snapshot;
  return keeps_its_word ? noted : std::min(noted, data.free());
}

}  // namespace

bool read_superblock(BlockReader& device, std::uint64_t offset, Superblock& superblock) {
  std::array<unsigned char, kBlockSize> block;
  if (device.read(offset, block.data(), block.size()) != 0) return false;
  const std::uint32_t checksum =
      plain_crc<0x82f63b78>(0xffffffff, std::span(block).subspan(kFlags)) ^ kChecksumXor;
  if (little_endian(block, kMagic, 8) != kThinMagic || little_endian(block, 0, 4) != checksum ||
      little_endian(block, kNumber, 8) != 0 || little_endian(block, kVersion, 4) > kThinVersion) {
    return false;
  }
  superblock = {.needs_check = (little_endian(block, kFlags, 4) & kNeedsCheck) != 0,
                .foreign = little_endian(block, kFeatures, 4) != 0 ||
                           little_endian(block, kReadOnlyFeatures, 4) != 0,
                .snapshot = little_endian(block, kSnapshot, 8) != 0,
                .transaction = little_endian(block, kTransaction, 8),
                .chunk = little_endian(block, kChunk, 4),
                .data = blocks_at(block, kData),
                .metadata = blocks_at(block, kMetadata)};
  return true;
}

std::uint64_t room(const Superblock& superblock, const lvm::ThinPool& pool) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t chunks = free_chunks(superblock, pool), kept = others(pool);
  if (chunks <= kept) return 0;
  const std::uint64_t bytes = pool.chunk * 512;
  return chunks - kept > kMost / bytes ? kMost : (chunks - kept) * bytes;
}

lvm::Refusal check(const Superblock& superblock, const lvm::ThinPool& pool) {
  if (superblock.needs_check) return {"lvconvert --repair has to repair its pool", pool.name};
  if (superblock.foreign || superblock.chunk != pool.chunk) {
    return {"the kernel and lvm do not agree on its pool", pool.name};
  }
  // As lvm: it tells the pool at the next start what was left open.
  if (superblock.transaction != pool.transaction &&
      !(pool.pending && superblock.transaction + 1 == pool.transaction)) {
    return {"the metadata of the group are older or newer than those of its pool", pool.name};
  }
  if (chunks_that_can_be_noted(superblock.metadata) < 2 * others(pool)) {
    return {"lvextend --poolmetadatasize has to make room in its pool", pool.name};
  }
  // With no more than for the rest a dump would be none.
  if (free_chunks(superblock, pool) < 2 * others(pool)) {
    return {"lvextend or fstrim has to make room in its pool, which is full", pool.name};
  }
  return {};
}

lvm::Refusal check(BlockReader& device, std::uint64_t offset, const lvm::ThinPool& pool,
                   std::uint64_t& bytes) {
  Superblock superblock;
  if (!read_superblock(device, offset, superblock)) {
    return {"unreadable or damaged are the metadata of its pool", pool.name};
  }
  bytes = room(superblock, pool);
  return check(superblock, pool);
}

}  // namespace kdinit::thin
