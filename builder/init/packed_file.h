// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files of the image that are stored as one xz stream each ("X.xz"), so that the kernel does not
// have to unpack them while its own init memory is still in use. xz because its decoder is small
// (70 KB where zstd has 230), its result is smaller, and newer kernels ship their modules in it.
#pragma once

#include <cstddef>
#include <string_view>

namespace kdinit {

inline constexpr std::string_view kPackedSuffix = ".xz";

// Pages of memory that go back to the kernel with the object.
class Pages {
 public:
  Pages() = default;
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // Both return 0 or an errno value.
  int allocate(std::size_t size);
  int map_file(const char* path);  // read-only, without a copy

  [[nodiscard]] unsigned char* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Unpacks the stream at `path` into `plain`. EBADMSG: not one whole xz stream.
int unpack_to_memory(const char* path, Pages& plain);

// Replaces "X.xz" by its content, the file X with the same mode.
int unpack_file(const char* path);

}  // namespace kdinit
