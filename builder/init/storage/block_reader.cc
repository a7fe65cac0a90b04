// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/block_reader.h"

#include <unistd.h>

#include <cerrno>

namespace kdinit {

FileReader::FileReader(int fd) : fd_(fd) {
  const off_t end = ::lseek(fd, 0, SEEK_END);
  if (end > 0) size_ = static_cast<std::uint64_t>(end);
}

int FileReader::read(std::uint64_t offset, void* buffer, std::size_t length) {
  if (length > size_ || offset > size_ - length) return ENXIO;
  auto* place = static_cast<char*>(buffer);
  while (length > 0) {
    const ssize_t got = ::pread(fd_, place, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : ENXIO;
    place += got;
    offset += static_cast<std::uint64_t>(got);
    length -= static_cast<std::size_t>(got);
  }
  return 0;
}

}  // namespace kdinit
