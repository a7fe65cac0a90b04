// SPDX-License-Identifier: GPL-2.0-or-later
//
// The one way to look into a device: the parsers of on-disk formats are given this, by init and by
// the builder, which proves with them that init will understand the very disk.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kdinit {

class BlockReader {
 public:
  // Fills the buffer as a whole; 0 or an errno value. Beyond the end: ENXIO.
  virtual int read(std::uint64_t offset, void* buffer, std::size_t length) = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;  // bytes

 protected:
  ~BlockReader() = default;
};

// Of an open device or file, which stays the caller's.
class FileReader final : public BlockReader {
 public:
  explicit FileReader(int fd);
  int read(std::uint64_t offset, void* buffer, std::size_t length) override;
  [[nodiscard]] std::uint64_t size() const override { return size_; }

 private:
  int fd_;
  std::uint64_t size_ = 0;
};

}  // namespace kdinit
