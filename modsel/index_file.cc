// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/index_file.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
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

std::uint32_t word_at(const char* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return be32toh(word);
}

// Null: the string does not end in the file.
const char* behind_string(const char* at, const char* end) {
  const auto* const nul =
      static_cast<const char*>(std::memchr(at, 0, static_cast<std::size_t>(end - at)));
  return nul == nullptr ? nullptr : nul + 1;
}

// Tens of thousands of nodes are visited by every run, so it is written with few instructions.
class Walk {
 public:
  explicit Walk(std::string_view data)
      : data_(data), end_(data.data() + data.size()), left_(data.size() - kHeaderSize) {
    pending_.reserve(1024);
  }

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
    if (offset == 0) return Damage::kNone;  // no key goes on with this character
    if (offset >= data_.size()) return Damage::kCutOff;
    if (depth > kMaxDepth) return Damage::kTooDeep;
    pending_.push_back({node, depth});
    return Damage::kNone;
  }

  Damage push_children(const char*& at, unsigned depth) {
    if (end_ - at < 2) return Damage::kCutOff;
    const unsigned first = static_cast<unsigned char>(*at++);
    const unsigned last = static_cast<unsigned char>(*at++);
    if (first > last || last >= kMaxChildren) return Damage::kBadRange;
    const std::ptrdiff_t size = std::ptrdiff_t{4} * (last - first + 1);
    if (end_ - at < size) return Damage::kCutOff;
    for (const char* const behind = at + size; at < behind; at += 4) {
      const Damage damage = push(word_at(at), depth);
      if (damage != Damage::kNone) return damage;
    }
    return Damage::kNone;
  }

  // Null: they do not end in the file.
  [[nodiscard]] const char* behind_values(const char* at) const {
    if (end_ - at < 4) return nullptr;
    const std::uint32_t count = word_at(at);
    at += 4;
    for (std::uint32_t i = 0; i < count && at != nullptr; ++i) {
      at = end_ - at < 4 ? nullptr : behind_string(at + 4, end_);  // a priority, then the value
    }
    return at;
  }

  Damage visit(const Reference& reference) {
    const char* const start = data_.data() + (reference.node & kOffsetMask);
    const char* at = start;
    if ((reference.node & kHasPrefix) != 0) at = behind_string(at, end_);
    if (at == nullptr) return Damage::kCutOff;
    if ((reference.node & kHasChildren) != 0) {
      const Damage damage = push_children(at, reference.depth + 1);
      if (damage != Damage::kNone) return damage;
    }
    if ((reference.node & kHasValues) != 0) at = behind_values(at);
    if (at == nullptr) return Damage::kCutOff;
    // Nodes that are all different cannot be larger than the file together, so this also ends the
    // walk of a loop.
    const auto size = static_cast<std::size_t>(at - start);
    if (size > left_) return Damage::kShared;
    left_ -= size;
    return Damage::kNone;
  }

  std::string_view data_;
  const char* end_;
  std::size_t left_;  // bytes that nodes not yet visited can have
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

// The reference to the root node.
kd::Result<std::uint32_t> check_header(std::string_view data, const std::string& name) {
  const auto wrong = kd::ErrorKind::kKernelNotFound;
  if (data.empty()) return kd::fail(wrong, "{}: empty file", name);
  if (data.size() < kHeaderSize)
    return kd::fail(wrong, "{}: cut off at {} bytes", name, data.size());
  if (word_at(data.data()) != kMagic) return kd::fail(wrong, "{}: not an index of depmod", name);
  const std::uint32_t major = word_at(data.data() + 4) >> 16;
  if (major != kMajorVersion) {
    return kd::fail(wrong, "{}: index format {} instead of {}", name, major, kMajorVersion);
  }
  return word_at(data.data() + 8);
}

struct IndexFile {
  kd::Fd fd;
  std::size_t size;
};

kd::Result<IndexFile> open_index(const std::string& path) {
  kd::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) < 0) return kd::fail_errno(errno, path);
  const auto size = static_cast<std::size_t>(status.st_size);
  // No reference reaches further.
  if (!S_ISREG(status.st_mode) || size > kOffsetMask) {
    return kd::fail(kd::ErrorKind::kKernelNotFound, "{}: not an index of depmod", path);
  }
  return IndexFile{std::move(fd), size};
}

}  // namespace

kd::Result<bool> check_index(std::string_view data, const std::string& name) {
  KD_TRY(const std::uint32_t root, check_header(data, name));
  if (root == kHeaderSize && data.size() == kHeaderSize) return false;
  const bool outside = (root & kOffsetMask) < kHeaderSize;
  const Damage damage = outside ? Damage::kCutOff : Walk(data).from(root);
  if (damage == Damage::kNone) return true;
  const auto wrong = kd::ErrorKind::kKernelNotFound;
  if (damage == Damage::kCutOff) {
    return kd::fail(wrong, "{}: cut off at {} bytes", name, data.size());
  }
  return kd::fail(wrong, "{}: damaged, {}", name, text_of(damage));
}

// Mapped, as libkmod maps it a moment later: the pages are needed once.
kd::Result<bool> check_index_file(const std::string& path) {
  KD_TRY(const IndexFile file, open_index(path));
  if (file.size == 0) return check_index({}, path);
  void* const data =
      ::mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.fd.get(), 0);
  if (data == MAP_FAILED) return kd::fail_errno(errno, path);
  kd::Result<bool> checked = check_index({static_cast<const char*>(data), file.size}, path);
  ::munmap(data, file.size);
  return checked;
}

kd::Result<void> check_index_header(const std::string& path) {
  KD_TRY(const IndexFile file, open_index(path));
  std::array<char, kHeaderSize> start{};
  const ssize_t got = ::pread(file.fd.get(), start.data(), start.size(), 0);
  if (got < 0) return kd::fail_errno(errno, path);
  KD_CHECK(check_header({start.data(), static_cast<std::size_t>(got)}, path));
  return {};
}

}  // namespace modsel
