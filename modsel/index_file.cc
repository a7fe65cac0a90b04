// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/index_file.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "builder/base/fd.h"

namespace modsel {
namespace {

// The format of libkmod-index.c: big-endian words, a header, then the nodes of a trie in any order.
// A reference to a node is its offset, with what the node consists of in the highest bits.
constexpr std::uint32_t kMagic = 0xB007F457;
constexpr std::uint32_t kMajorVersion = 2;
constexpr std::size_t kHeaderSize = 12;
constexpr std::uint32_t kHasPrefix = 0x80000000;
constexpr std::uint32_t kHasValues = 0x40000000;
constexpr std::uint32_t kHasChildren = 0x20000000;
constexpr std::uint32_t kOffsetMask = 0x0FFFFFFF;
constexpr unsigned kMaxChildren = 128;  // keys are ASCII
// Each level is at least one character of a key, and libkmod looks up none longer than PATH_MAX.
// It takes about 300 bytes of stack for a level.
constexpr unsigned kMaxDepth = 4096;

enum class Damage { kNone, kCutOff, kTooDeep, kShared, kBadRange };

std::uint32_t word_at(std::string_view bytes, std::size_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return be32toh(word);
}

class Bytes {
 public:
  Bytes(std::string_view data, std::size_t start) : data_(data), at_(start) {}

  std::uint32_t word() {
    const std::string_view bytes = take(4);
    return bytes.empty() ? 0 : word_at(bytes, 0);
  }
  unsigned byte() {
    const std::string_view bytes = take(1);
    return bytes.empty() ? 0 : static_cast<unsigned char>(bytes.front());
  }
  void skip_string() {
    const std::size_t end = good_ ? data_.find('\0', at_) : std::string_view::npos;
    good_ = end != std::string_view::npos;
    if (good_) at_ = end + 1;
  }
  // Empty when there are not so many.
  std::string_view take(std::size_t size) {
    good_ = good_ && size <= data_.size() - at_;
    if (!good_) return {};
    at_ += size;
    return data_.substr(at_ - size, size);
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  std::string_view data_;
  std::size_t at_;
  bool good_ = true;
};

class Walk {
 public:
  explicit Walk(std::string_view data) : data_(data) {}

  // An explicit stack, because the file says how deep the trie is.
  Damage from(std::uint32_t root) {
    Damage damage = push(root, 1);
    while (damage == Damage::kNone && !pending_.empty()) {
      const Reference next = pending_.back();
      pending_.pop_back();
      damage = visit(next);
    }
    return damage;
  }

 private:
  struct Reference {
    std::uint32_t node;
    unsigned depth;
  };

  Damage push(std::uint32_t node, unsigned depth) {
    const std::size_t offset = node & kOffsetMask;
    if (offset == 0) return Damage::kNone;
    if (offset >= data_.size()) return Damage::kCutOff;
    if (depth > kMaxDepth) return Damage::kTooDeep;
    pending_.push_back({node, depth});
    return Damage::kNone;
  }

  Damage visit(const Reference& reference) {
    const std::size_t start = reference.node & kOffsetMask;
    Bytes bytes(data_, start);
    if ((reference.node & kHasPrefix) != 0) bytes.skip_string();
    if ((reference.node & kHasChildren) != 0) {
      const unsigned first = bytes.byte();
      const unsigned last = bytes.byte();
      if (bytes.good() && (first > last || last >= kMaxChildren)) return Damage::kBadRange;
      const std::string_view children = bytes.take(std::size_t{4} * (last - first + 1));
      for (std::size_t at = 0; at < children.size(); at += 4) {
        const std::uint32_t child = word_at(children, at);
        if (child == 0) continue;  // no key goes on with this character
        const Damage damage = push(child, reference.depth + 1);
        if (damage != Damage::kNone) return damage;
      }
    }
    if ((reference.node & kHasValues) != 0) {
      const std::uint32_t count = bytes.word();
      for (std::uint32_t i = 0; i < count && bytes.good(); ++i) {
        bytes.word();
        bytes.skip_string();
      }
    }
    if (!bytes.good()) return Damage::kCutOff;
    // Nodes that are all different cannot be larger than the file together, so this also ends the
    // walk of a loop.
    visited_bytes_ += bytes.at() - start;
    return visited_bytes_ <= data_.size() - kHeaderSize ? Damage::kNone : Damage::kShared;
  }

  std::string_view data_;
  std::size_t visited_bytes_ = 0;
  std::vector<Reference> pending_;
};

std::string_view text_of(Damage damage) {
  switch (damage) {
    case Damage::kTooDeep:
      return "nodes are nested too deep";
    case Damage::kShared:
      return "nodes are reached more than once";
    case Damage::kBadRange:
      return "a range of children is none";
    case Damage::kCutOff:
    case Damage::kNone:
      break;
  }
  return "";
}

}  // namespace

kd::Result<bool> check_index(std::string_view data, const std::string& name) {
  const auto wrong = kd::ErrorKind::kKernelNotFound;
  if (data.empty()) return kd::fail(wrong, "{}: empty file", name);
  Bytes header(data, 0);
  const std::uint32_t magic = header.word();
  const std::uint32_t version = header.word();
  const std::uint32_t root = header.word();
  if (!header.good()) return kd::fail(wrong, "{}: cut off at {} bytes", name, data.size());
  if (magic != kMagic) return kd::fail(wrong, "{}: not an index of depmod", name);
  if (version >> 16 != kMajorVersion) {
    return kd::fail(wrong, "{}: index format {} instead of {}", name, version >> 16, kMajorVersion);
  }
  if (root == kHeaderSize && data.size() == kHeaderSize) return false;
  const bool outside = (root & kOffsetMask) < kHeaderSize;
  const Damage damage = outside ? Damage::kCutOff : Walk(data).from(root);
  if (damage == Damage::kNone) return true;
  if (damage == Damage::kCutOff) {
    return kd::fail(wrong, "{}: cut off at {} bytes", name, data.size());
  }
  return kd::fail(wrong, "{}: damaged, {}", name, text_of(damage));
}

// Mapped, as libkmod maps it a moment later: the pages are needed once.
kd::Result<bool> check_index_file(const std::string& path) {
  const kd::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) < 0) return kd::fail_errno(errno, path);
  const auto size = static_cast<std::size_t>(status.st_size);
  // No reference reaches further.
  if (!S_ISREG(status.st_mode) || size > kOffsetMask) {
    return kd::fail(kd::ErrorKind::kKernelNotFound, "{}: not an index of depmod", path);
  }
  if (size == 0) return check_index({}, path);
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd.get(), 0);
  if (data == MAP_FAILED) return kd::fail_errno(errno, path);
  kd::Result<bool> checked = check_index({static_cast<const char*>(data), size}, path);
  ::munmap(data, size);
  return checked;
}

}  // namespace modsel
