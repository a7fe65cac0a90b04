// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/index_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

#include "builder/base/fd.h"

namespace modsel {
namespace {

// The format of libkmod-index.c: big-endian words, a header, then a trie written children first, so
// that a complete file ends with its root node.
constexpr std::uint32_t kMagic = 0xB007F457;
constexpr std::uint32_t kMajorVersion = 2;
constexpr std::size_t kHeaderSize = 12;
constexpr std::uint32_t kHasPrefix = 0x80000000;
constexpr std::uint32_t kHasValues = 0x40000000;
constexpr std::uint32_t kHasChildren = 0x20000000;
constexpr std::uint32_t kOffsetMask = 0x0FFFFFFF;
// A root node has at most 128 children of four bytes, a prefix and the values of one key.
constexpr std::size_t kMaxRootSize = std::size_t{64} << 10;

class Bytes {
 public:
  explicit Bytes(std::string_view data) : data_(data) {}

  std::uint32_t word() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | byte();
    return value;
  }
  unsigned char byte() {
    if (data_.empty()) good_ = false;
    if (!good_) return 0;
    const auto value = static_cast<unsigned char>(data_.front());
    data_.remove_prefix(1);
    return value;
  }
  void skip_string() {
    while (byte() != 0) {
    }
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return good_ && data_.empty(); }

 private:
  std::string_view data_;
  bool good_ = true;
};

bool is_root_node(std::string_view data, std::uint32_t root) {
  Bytes bytes(data);
  if ((root & kHasPrefix) != 0) bytes.skip_string();
  if ((root & kHasChildren) != 0) {
    const unsigned first = bytes.byte();
    const unsigned last = bytes.byte();
    for (unsigned i = first; i <= last && bytes.good(); ++i) {
      if ((bytes.word() & kOffsetMask) >= (root & kOffsetMask)) return false;
    }
  }
  if ((root & kHasValues) != 0) {
    const std::uint32_t count = bytes.word();
    for (std::uint32_t i = 0; i < count && bytes.good(); ++i) {
      bytes.word();
      bytes.skip_string();
    }
  }
  return bytes.at_end();
}

kd::Result<std::string> read_at(const kd::Fd& fd, const std::string& path, std::size_t offset,
                                std::size_t size) {
  std::string data(size, '\0');
  const ssize_t got = ::pread(fd.get(), data.data(), size, static_cast<off_t>(offset));
  if (got < 0) return kd::fail_errno(errno, path);
  data.resize(static_cast<std::size_t>(got));
  return data;
}

}  // namespace

kd::Result<bool> check_index_file(const std::string& path) {
  const kd::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) < 0) return kd::fail_errno(errno, path);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return kd::fail(kd::ErrorKind::kKernelNotFound, "{}: empty file", path);

  KD_TRY(const std::string header, read_at(fd, path, 0, kHeaderSize));
  Bytes words(header);
  const std::uint32_t magic = words.word();
  const std::uint32_t version = words.word();
  const std::uint32_t root = words.word();
  if (words.good() && magic != kMagic) {
    return kd::fail(kd::ErrorKind::kKernelNotFound, "{}: not an index of depmod", path);
  }
  if (words.good() && version >> 16 != kMajorVersion) {
    return kd::fail(kd::ErrorKind::kKernelNotFound, "{}: index format {} instead of {}", path,
                    version >> 16, kMajorVersion);
  }
  if (words.good() && root == kHeaderSize && size == kHeaderSize) return false;

  const std::size_t start = root & kOffsetMask;
  if (start >= kHeaderSize && start < size && size - start <= kMaxRootSize) {
    KD_TRY(const std::string node, read_at(fd, path, start, size - start));
    if (is_root_node(node, root)) return true;
  }
  return kd::fail(kd::ErrorKind::kKernelNotFound, "{}: cut off at {} bytes", path, size);
}

}  // namespace modsel
