// SPDX-License-Identifier: GPL-2.0-or-later
//
// The memory of the kernel that crashed, as its debugger sees it. All parsers and walkers of this
// folder work on this interface, so that a test can lay out a kernel of its own.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace kd::verify {

static_assert(std::endian::native == std::endian::little, "dumps of this machine's byte order");

// Why bytes could not be read.
struct Unread {
  enum class Kind {
    kNotInDump,  // the page was filtered out
    kDamaged,    // the dump says that it has the page, and has not
    kNotMapped,  // no page belongs to the address: the kernel's own pointer leads nowhere
    kCircle,     // a list of the kernel that never ends, or is longer than any can be
  };
  Kind kind = Kind::kNotInDump;
  std::uint64_t address = 0;          // virtual, of the first byte that is missing; 0: of no page
  std::optional<std::uint64_t> page;  // its physical page number, where known
  std::string reason;                 // of the library
};

template <typename T>
using Read = tl::expected<T, Unread>;

class Memory {
 public:
  virtual ~Memory() = default;
  // All of `out` from a kernel virtual address, or nothing.
  virtual Read<void> read(std::uint64_t address, std::span<std::byte> out) const = 0;
};

// A number of the kernel out of `size` (1, 2, 4 or 8) bytes; 0 when they are not all there.
inline std::uint64_t number(std::span<const std::byte> bytes, std::size_t offset,
                            std::size_t size = sizeof(std::uint64_t)) {
  std::uint64_t value = 0;
  if (size > sizeof value || offset > bytes.size() || size > bytes.size() - offset) return 0;
  std::memcpy(&value, bytes.data() + offset, size);
  return value;
}

inline Read<std::uint64_t> read_number(const Memory& memory, std::uint64_t address,
                                       std::size_t size = sizeof(std::uint64_t)) {
  std::byte bytes[sizeof(std::uint64_t)] = {};
  const std::span<std::byte> part(bytes, std::min(size, sizeof bytes));
  if (Read<void> done = memory.read(address, part); !done) {
    return tl::unexpected(std::move(done).error());
  }
  return number(part, 0, part.size());
}

inline Read<std::vector<std::byte>> read_bytes(const Memory& memory, std::uint64_t address,
                                               std::size_t size) {
  std::vector<std::byte> bytes(size);
  if (Read<void> done = memory.read(address, bytes); !done) {
    return tl::unexpected(std::move(done).error());
  }
  return bytes;
}

}  // namespace kd::verify
