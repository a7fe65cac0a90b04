// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/flattened.h"

#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace kd::verify {
namespace {

// makedumpfile.h: MAKEDUMPFILE_SIGNATURE, MAX_SIZE_MDF_HEADER, struct makedumpfile_data_header.
constexpr char kSignature[16] = "makedumpfile";
constexpr off_t kHeaderSize = 4096;
struct Piece {
  std::int64_t offset;  // big endian, as all of it
  std::int64_t size;
};
constexpr std::int64_t kEnd = -1;
constexpr std::int64_t kLastByte = std::int64_t{1} << 52;
constexpr std::size_t kBuffer = 1 << 18;

// Fewer bytes than asked for only at the end of the file; -1 with errno.
ssize_t read_at(int fd, void* out, std::size_t size, off_t at) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(fd, static_cast<char*>(out) + done, size - done, at + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

Result<void> write_at(int fd, const char* data, std::size_t size, off_t at) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t put = ::pwrite(fd, data + done, size - done, at + static_cast<off_t>(done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "no room to rearrange a flattened dump");
    done += static_cast<std::size_t>(put);
  }
  return {};
}

}  // namespace

bool is_flattened(int fd) {
  char start[sizeof kSignature] = {};
  return read_at(fd, start, sizeof start, 0) == sizeof start &&
         std::memcmp(start, kSignature, sizeof start) == 0;
}

Result<Rearranged> rearrange(int from, int to) {
  std::vector<char> buffer(kBuffer);
  for (off_t at = kHeaderSize;;) {
    Piece piece{};
    const ssize_t got = read_at(from, &piece, sizeof piece, at);
    if (got < 0) return fail_errno(errno, "flattened dump");
    if (got != sizeof piece) return Rearranged{"the flattened dump has no end mark"};
    at += static_cast<off_t>(sizeof piece);
    auto offset = static_cast<std::int64_t>(be64toh(static_cast<std::uint64_t>(piece.offset)));
    auto size = static_cast<std::int64_t>(be64toh(static_cast<std::uint64_t>(piece.size)));
    if (offset == kEnd) return Rearranged{};
    if (offset < 0 || size <= 0 || offset > kLastByte || size > kLastByte) {
      return Rearranged{"a piece of the flattened dump has no place"};
    }
    while (size > 0) {
      const auto length = std::min<std::int64_t>(size, static_cast<std::int64_t>(kBuffer));
      const ssize_t data = read_at(from, buffer.data(), static_cast<std::size_t>(length), at);
      if (data < 0) return fail_errno(errno, "flattened dump");
      KD_CHECK(write_at(to, buffer.data(), static_cast<std::size_t>(data), offset));
      if (data != length) return Rearranged{"the flattened dump is cut off"};
      at += length;
      offset += length;
      size -= length;
    }
  }
}

Result<Fd> unnamed_file(const std::string& directory) {
  int error = 0;
  for (const std::string& place : {directory, std::string("/var/tmp")}) {
    Fd file(::open(place.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file.valid()) return file;
    if (error == 0) error = errno;
  }
  return fail_errno(error, directory);
}

}  // namespace kd::verify
