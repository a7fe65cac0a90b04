// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/packed_file.h"

#include <fcntl.h>
#include <lzma.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "builder/base/fd.h"
#include "builder/init/text.h"

namespace kdinit {
namespace {

// A module with its dictionary has to fit beside the kernel's own copy of it.
constexpr std::uint64_t kDecoderMemory = std::uint64_t{64} << 20;

// The size at the end of the stream, so that one allocation of the right size does.
int unpacked_size(const Pages& packed, std::size_t& size) {
  if (packed.size() < std::size_t{2} * LZMA_STREAM_HEADER_SIZE) return EBADMSG;
  lzma_stream_flags footer;
  const unsigned char* footer_at = packed.data() + packed.size() - LZMA_STREAM_HEADER_SIZE;
  if (lzma_stream_footer_decode(&footer, footer_at) != LZMA_OK ||
      footer.backward_size > packed.size() - std::size_t{2} * LZMA_STREAM_HEADER_SIZE) {
    return EBADMSG;
  }
  lzma_index* index = nullptr;
  std::uint64_t limit = kDecoderMemory;
  std::size_t position = 0;
  if (lzma_index_buffer_decode(&index, &limit, nullptr, footer_at - footer.backward_size, &position,
                               footer.backward_size) != LZMA_OK) {
    return EBADMSG;
  }
  size = lzma_index_uncompressed_size(index);
  lzma_index_end(index, nullptr);
  return size == 0 || size > kDecoderMemory ? EBADMSG : 0;
}

int write_all(int fd, const unsigned char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0) return errno;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return 0;
}

}  // namespace

Pages::~Pages() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

int Pages::allocate(std::size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  data_ = static_cast<unsigned char*>(memory);
  size_ = size;
  return 0;
}

int Pages::map_file(const char* path) {
  const kd::Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return errno;
  void* memory =
      ::mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return errno;
  data_ = static_cast<unsigned char*>(memory);
  size_ = static_cast<std::size_t>(info.st_size);
  return 0;
}

int unpack_to_memory(const char* path, Pages& plain) {
  Pages packed;
  if (const int error = packed.map_file(path)) return error;
  std::size_t size = 0;
  if (const int error = unpacked_size(packed, size)) return error;
  if (const int error = plain.allocate(size)) return error;
  std::uint64_t limit = kDecoderMemory;
  std::size_t in = 0;
  std::size_t out = 0;
  const lzma_ret result = lzma_stream_buffer_decode(
      &limit, 0, nullptr, packed.data(), &in, packed.size(), plain.data(), &out, plain.size());
  if (result == LZMA_MEM_ERROR) return ENOMEM;
  return result == LZMA_OK && in == packed.size() && out == plain.size() ? 0 : EBADMSG;
}

int unpack_file(const char* path) {
  struct stat info {};
  if (::stat(path, &info) != 0) return errno;
  Pages plain;
  if (const int error = unpack_to_memory(path, plain)) return error;
  ::unlink(path);
  Path target(path);
  std::string_view name = target.view();
  if (!name.ends_with(kPackedSuffix)) return EINVAL;
  name.remove_suffix(kPackedSuffix.size());
  const Path plain_path(name);
  const kd::Fd fd(
      ::open(plain_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, info.st_mode & 07777));
  if (!fd.valid()) return errno;
  return write_all(fd.get(), plain.data(), plain.size());
}

}  // namespace kdinit
