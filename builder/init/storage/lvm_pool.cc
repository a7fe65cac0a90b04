// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/lvm_pool.h"

#include <algorithm>
#include <array>

#include "builder/init/storage/lvm_entries.h"

namespace kdinit::lvm {
namespace {

// As in lvm_text.cc: what is not known may matter.
constexpr std::array<std::string_view, 10> kPoolKeys = {
    "start_extent", "extent_count",   "type",       "tags",     "metadata",
    "pool",         "transaction_id", "chunk_size", "discards", "zero_new_blocks"};
// Not "external_origin", of which the volume shows what was never written to it, nor "merge".
constexpr std::array<std::string_view, 8> kThinKeys = {"start_extent", "extent_count",  "type",
                                                       "tags",         "thin_pool",     "origin",
                                                       "device_id",    "transaction_id"};
// What the group has decided and the pool not yet heard of; none of it is about a volume in use.
constexpr std::string_view kMessage = "message";

constexpr std::uint64_t kChunkStep = 128, kMaxChunk = 2097152;  // sectors: 64 KiB, 1 GiB
constexpr std::uint64_t kMaxThinId = (1 << 24) - 1;
constexpr std::uint64_t kMaxTransaction = std::uint64_t{1} << 62;
constexpr std::uint64_t kMaxExtents = 0xffffffff;

struct DiscardsName {
  std::string_view name;
  Discards discards;
};
constexpr std::array kDiscards = {DiscardsName{"passdown", Discards::kPassDown},
                                  DiscardsName{"nopassdown", Discards::kNoPassDown},
                                  DiscardsName{"ignore", Discards::kIgnore}};

bool read_discards(std::string_view segment, Discards& discards) {
  const std::string_view text = find_string(segment, "discards");
  discards = Discards::kIgnore;  // as lvm has it where nothing is said
  for (const DiscardsName& row : kDiscards) {
    if (row.name != text) continue;
    discards = row.discards;
    return true;
  }
  return text.empty();
}

}  // namespace

Refusal read_thin_settings(std::string_view segment, ThinPool& pool) {
  const std::string_view unknown = unknown_key(segment, kThinKeys);
  if (!unknown.empty()) return {"the thin volume has an unsupported setting", unknown};
  pool.name = find_string(segment, "thin_pool");
  return !pool.name.empty() && find_number(segment, "device_id", kMaxThinId, pool.volume_id)
             ? Refusal{}
             : kDamaged;
}

Refusal read_pool_settings(std::string_view segment, ThinPool& pool) {
  Entries entries(segment);
  Entry entry;
  while (entries.next(entry)) {
    if (entry.is_section && entry.key.starts_with(kMessage)) {
      pool.pending = true;
    } else if (std::find(kPoolKeys.begin(), kPoolKeys.end(), entry.key) == kPoolKeys.end()) {
      return {"the pool has an unsupported setting", entry.key};
    }
  }
  std::uint64_t zero = 0;
  if (!find(segment, "zero_new_blocks").key.empty() &&
      !find_number(segment, "zero_new_blocks", 1, zero)) {
    return kDamaged;
  }
  pool.zero = zero != 0;
  if (!find_number(segment, "transaction_id", kMaxTransaction, pool.transaction) ||
      !find_number(segment, "chunk_size", kMaxChunk, pool.chunk) || pool.chunk == 0 ||
      pool.chunk % kChunkStep != 0 || !read_discards(segment, pool.discards)) {
    return kDamaged;
  }
  return {};
}

std::uint64_t promised_chunks(std::string_view volumes, const ThinPool& pool,
                              std::uint64_t extent_size) {
  std::uint64_t chunks = 0;
  Entries entries(volumes);
  for (Entry volume; entries.next(volume);) {
    Entries parts(volume.section);
    for (Entry segment; parts.next(segment);) {
      std::uint64_t extents = 0;
      if (!segment.is_section || find_string(segment.section, "thin_pool") != pool.name ||
          !find_number(segment.section, "extent_count", kMaxExtents, extents)) {
        continue;
      }
      chunks += (extents * extent_size + pool.chunk - 1) / pool.chunk;
    }
  }
  return chunks;
}

}  // namespace kdinit::lvm
