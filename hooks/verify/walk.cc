// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/walk.h"

#include <fmt/format.h>

namespace kd::verify {
namespace {

// enum maple_type (include/linux/maple_tree.h); BTF has the values.
constexpr std::uint64_t kLeaf64 = 1, kRange64 = 2, kArange64 = 3;
// A node is aligned to 256 bytes, and its address carries what it is (mte_node_type()).
constexpr std::uint64_t kMapleMask = 0xFF, kMapleTypeShift = 3, kMapleTypeMask = 0xF;
// MAPLE_HEIGHT_MAX
constexpr unsigned kMapleDepth = 31;

Unread circle(std::uint64_t address, std::string reason) {
  return {Unread::Kind::kCircle, address, {}, std::move(reason)};
}

// xa_is_node(): what a maple tree keeps of its own has the low bits 10.
bool is_internal(std::uint64_t entry) { return (entry & 3) == 2; }
bool is_node(std::uint64_t entry) { return is_internal(entry) && entry > 4096; }

class MapleWalk {
 public:
  MapleWalk(const Kernel& kernel, std::size_t limit,
            const std::function<void(std::uint64_t)>& visit)
      : memory_(kernel.memory), limit_(limit), visit_(visit) {
    Needed needed(kernel.types);
    size_ = needed.size("maple_node");
    leaf_pivots_ = needed.member("maple_range_64", "pivot");
    leaf_slots_ = needed.member("maple_range_64", "slot");
    arange_pivots_ = needed.member("maple_arange_64", "pivot");
    arange_slots_ = needed.member("maple_arange_64", "slot");
    missing_ = needed.missing();
    leaf_ = kernel.types.enumerator("maple_leaf_64").value_or(kLeaf64);
    range_ = kernel.types.enumerator("maple_range_64").value_or(kRange64);
    arange_ = kernel.types.enumerator("maple_arange_64").value_or(kArange64);
  }

  Read<void> run(std::uint64_t root) {
    if (!missing_.empty()) {
      return tl::unexpected(circle(root, fmt::format("the types have no {}", missing_)));
    }
    if (is_node(root)) return node(root, ~std::uint64_t{0}, 0);
    if (root != 0 && !is_internal(root)) visit_(root);
    return {};
  }

 private:
  Read<void> node(std::uint64_t entry, std::uint64_t last, unsigned depth) {
    const std::uint64_t address = entry & ~kMapleMask;
    const std::uint64_t type = (entry >> kMapleTypeShift) & kMapleTypeMask;
    if (type != leaf_ && type != range_ && type != arange_) {
      return tl::unexpected(
          circle(address, fmt::format("a maple tree has a node of type {}", type)));
    }
    if (depth == kMapleDepth || !seen_.insert(address).second || seen_.size() > limit_) {
      return tl::unexpected(circle(address, "a maple tree leads in a circle"));
    }
    Read<std::vector<std::byte>> bytes = read_bytes(memory_, address, size_);
    if (!bytes) return tl::unexpected(std::move(bytes).error());
    const Member& pivots = type == arange_ ? arange_pivots_ : leaf_pivots_;
    const Member& slots = type == arange_ ? arange_slots_ : leaf_slots_;
    Read<void> result;
    for (std::uint32_t at = 0; at < slots.size; at += 8) {
      // Slot n holds what ends at pivot n; behind the last pivot in use there is 0, or no pivot.
      std::uint64_t end = at < pivots.size ? number(*bytes, pivots.offset + at) : 0;
      if (at >= pivots.size || (end == 0 && at > 0)) end = last;
      if (Read<void> done = slot(number(*bytes, slots.offset + at), type == leaf_, end, depth);
          !done && result) {
        result = std::move(done);
      }
      if (end >= last) break;
    }
    return result;
  }

  Read<void> slot(std::uint64_t entry, bool leaf, std::uint64_t end, unsigned depth) {
    if (entry == 0) return {};
    if (!leaf) return node(entry, end, depth + 1);
    if (!is_internal(entry)) visit_(entry);
    return {};
  }

  const Memory& memory_;
  std::size_t limit_;
  const std::function<void(std::uint64_t)>& visit_;
  std::uint32_t size_ = 0;
  Member leaf_pivots_, leaf_slots_, arange_pivots_, arange_slots_;
  std::uint64_t leaf_ = 0, range_ = 0, arange_ = 0;
  std::string missing_;
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace

Read<void> for_each_in_list(const Memory& memory, std::uint64_t head, std::size_t limit,
                            const std::function<void(std::uint64_t)>& visit) {
  std::unordered_set<std::uint64_t> seen;
  std::uint64_t last = head;
  Read<std::uint64_t> next = read_number(memory, head);
  while (next && *next != head) {
    if (*next == 0) return tl::unexpected(circle(last, "a list of the kernel ends in zeros"));
    if (!seen.insert(*next).second || seen.size() > limit) {
      return tl::unexpected(circle(*next, "a list of the kernel leads in a circle"));
    }
    visit(*next);
    last = *next;
    next = read_number(memory, last);
  }
  if (!next) return tl::unexpected(std::move(next).error());
  return {};
}

Read<void> for_each_in_tree(const Kernel& kernel, std::uint64_t root, std::size_t limit,
                            const std::function<void(std::uint64_t)>& visit) {
  Needed needed(kernel.types);
  const std::uint32_t left = needed.member("rb_node", "rb_left").offset;
  const std::uint32_t right = needed.member("rb_node", "rb_right").offset;
  if (!needed.missing().empty()) {
    return tl::unexpected(circle(root, fmt::format("the types have no {}", needed.missing())));
  }
  Read<std::uint64_t> top = read_number(kernel.memory, root);
  if (!top) return tl::unexpected(std::move(top).error());
  std::unordered_set<std::uint64_t> seen;
  std::vector<std::uint64_t> open = {*top};
  Read<void> result;
  while (!open.empty()) {
    const std::uint64_t node = open.back();
    open.pop_back();
    if (node == 0) continue;
    if (!seen.insert(node).second || seen.size() > limit) {
      return tl::unexpected(circle(node, "a tree of the kernel leads in a circle"));
    }
    visit(node);
    for (const std::uint32_t side : {right, left}) {
      const Read<std::uint64_t> child = read_number(kernel.memory, node + side);
      if (child) open.push_back(*child);
      if (!child && result) result = tl::unexpected(child.error());
    }
  }
  return result;
}

Read<void> for_each_in_maple_tree(const Kernel& kernel, std::uint64_t root, std::size_t limit,
                                  const std::function<void(std::uint64_t)>& visit) {
  return MapleWalk(kernel, limit, visit).run(root);
}

Read<std::vector<std::byte>> read_object(const Memory& memory, std::uint64_t address,
                                         std::size_t size) {
  auto bytes = read_bytes(memory, address, size);
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  if (bytes && std::ranges::all_of(*bytes, is_zero)) {
    return tl::unexpected(Unread{Unread::Kind::kNotInDump, address, {}, "nothing but zeros"});
  }
  return bytes;
}

std::vector<std::byte> read_or_miss(const Kernel& kernel, std::uint64_t address, std::size_t size,
                                    std::string belongs_to, Check& check) {
  auto bytes = read_object(kernel.memory, address, size);
  if (bytes) return std::move(*bytes);
  check.miss(std::move(bytes).error(), std::move(belongs_to));
  return {};
}

Read<void> read_through(const Memory& memory, std::uint64_t address, std::uint64_t size) {
  std::byte piece[1 << 14];
  for (std::uint64_t at = 0; at < size;) {
    const std::uint64_t length = std::min<std::uint64_t>(sizeof piece, size - at);
    if (Read<void> done = memory.read(address + at, {piece, length}); !done) return done;
    at += length;
  }
  return {};
}

std::string text_in(std::span<const std::byte> bytes, const Member& member) {
  std::string text;
  for (std::size_t i = 0; i < member.size && member.offset + i < bytes.size(); ++i) {
    const char c = static_cast<char>(bytes[member.offset + i]);
    if (c == '\0') break;
    text.push_back(c);
  }
  return text;
}

Read<std::string> dentry_name(const Kernel& kernel, std::span<const std::byte> dentry) {
  Needed needed(kernel.types);
  const Member name = needed.member("dentry", "d_name.name");
  const Member length = needed.member("dentry", "d_name.len");
  // NAME_MAX; the names of anonymous inodes are as short.
  const std::uint64_t size = std::min<std::uint64_t>(number(dentry, length.offset, 4), 255);
  const std::uint64_t address = number(dentry, name.offset);
  if (address == 0) return std::string();
  Read<std::vector<std::byte>> bytes = read_bytes(kernel.memory, address, size);
  if (!bytes) return tl::unexpected(std::move(bytes).error());
  return text_in(*bytes, {0, static_cast<std::uint32_t>(size)});
}

}  // namespace kd::verify
