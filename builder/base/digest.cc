// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <memory>

namespace kd {

namespace {

std::string hex(const XXH128_hash_t& hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

std::string digest(std::string_view data) { return hex(XXH3_128bits(data.data(), data.size())); }

Result<FileDigest> digest_of_file(const FileReader& reader, std::string_view path) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::uint64_t size = 0;
  KD_CHECK(reader.read_blocks(path, [&](std::string_view block) {
    size += block.size();
    return XXH3_128bits_update(state.get(), block.data(), block.size()) == XXH_OK;
  }));
  return FileDigest{.digest = hex(XXH3_128bits_digest(state.get())), .size = size};
}

}  // namespace kd
