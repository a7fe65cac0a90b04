// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/file_length.h"

#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <string_view>

namespace kd::verify {
namespace {

// struct disk_dump_header and struct page_desc of makedumpfile's diskdump_mod.h, for 64 bits.
constexpr std::string_view kSignature = "KDUMP   ";
constexpr std::size_t kHeaderSize = 464, kStatus = 424, kBlockSize = 428, kSubHeaderBlocks = 432,
                      kBitmapBlocks = 436;
constexpr std::uint32_t kIncomplete = 0x8;  // DUMP_DH_COMPRESSED_INCOMPLETE
constexpr std::size_t kDescriptorSize = 24, kDataOffset = 0, kDataSize = 8;
// 2^24 blocks of 4 KiB describe 2^38 pages; a petabyte.
constexpr std::uint64_t kMostBlocks = 1 << 24;
constexpr std::size_t kPiece = kDescriptorSize << 13;

class File {
 public:
  File(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  // As many of `size` bytes as the file has.
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t at, std::size_t size) const {
    std::vector<std::byte> bytes(at < size_ ? std::min<std::uint64_t>(size, size_ - at) : 0);
    const ssize_t got = ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  int fd_;
  std::uint64_t size_;
};

Unread damaged(std::string reason) { return {Unread::Kind::kDamaged, 0, {}, std::move(reason)}; }

// The descriptors stand in the order of the bits, one after the other.
class Descriptors {
 public:
  Descriptors(const File& file, std::uint64_t at) : file_(file), at_(at) {}
  // False where the file has no whole descriptor any more.
  bool next(std::uint64_t& end) {
    if (used_ == bytes_.size()) {
      bytes_ = file_.read(at_, kPiece);
      bytes_.resize(bytes_.size() / kDescriptorSize * kDescriptorSize);
      at_ += bytes_.size();
      used_ = 0;
      if (bytes_.empty()) return false;
    }
    const std::uint64_t offset = number(bytes_, used_ + kDataOffset);
    const std::uint64_t size = number(bytes_, used_ + kDataSize, 4);
    used_ += kDescriptorSize;
    end = offset > ~std::uint64_t{0} - size ? ~std::uint64_t{0} : offset + size;
    return true;
  }

 private:
  const File& file_;
  std::uint64_t at_;
  std::vector<std::byte> bytes_;
  std::size_t used_ = 0;
};

void check_page(Descriptors& descriptors, const File& file, std::uint64_t page,
                std::uint64_t page_size, Check& check) {
  std::uint64_t end = 0;
  const bool described = descriptors.next(end);
  if (described && end <= file.size()) return;
  const std::string reason =
      described ? fmt::format("its data end at {}, the file at {}", end, file.size())
                : fmt::format("the file ends at {}, before its descriptor", file.size());
  // Page 0 is an address too: kDamaged without one means the file itself.
  check.miss({Unread::Kind::kDamaged, page * page_size, page, reason},
             "memory of the crashed machine");
}

void check_pages(const File& file, std::span<const std::byte> header, Check& check) {
  const std::uint64_t block = number(header, kBlockSize, 4);
  const std::uint64_t sub_header = number(header, kSubHeaderBlocks, 4);
  const std::uint64_t bitmaps = number(header, kBitmapBlocks, 4);
  if (!std::has_single_bit(block) || block < 4096 || block > 1 << 16 || sub_header > kMostBlocks ||
      bitmaps > kMostBlocks) {
    return check.miss(damaged("its header contradicts itself"), "the whole dump");
  }
  if ((number(header, kStatus, 4) & kIncomplete) != 0) {
    check.miss(damaged("makedumpfile marked the dump as incomplete"),
               "what was not written any more");
  }
  // The second half has a bit for every page that is in the file.
  const std::uint64_t half = bitmaps / 2 * block;
  const std::uint64_t start = (1 + sub_header) * block + half;
  if (start + half > file.size()) {
    return check.miss(
        damaged(fmt::format("the file ends at {}, before the end of its bitmap", file.size())),
        "the whole dump");
  }
  Descriptors descriptors(file, start + half);
  for (std::uint64_t at = 0; at < half; at += block) {
    const std::vector<std::byte> bits = file.read(start + at, block);
    for (std::size_t i = 0; i < bits.size(); ++i) {
      for (unsigned rest = static_cast<unsigned>(bits[i]); rest != 0; rest &= rest - 1) {
        const std::uint64_t page = (at + i) * 8 + static_cast<unsigned>(std::countr_zero(rest));
        check_page(descriptors, file, page, block, check);
        ++check.count;
      }
    }
  }
}

void check_segments(const File& file, std::span<const std::byte> header, Check& check) {
  const std::uint64_t table = number(header, offsetof(Elf64_Ehdr, e_phoff));
  const std::uint64_t count = number(header, offsetof(Elf64_Ehdr, e_phnum), 2);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto segment = file.read(table + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
    const std::uint64_t offset = number(segment, offsetof(Elf64_Phdr, p_offset));
    const std::uint64_t size = number(segment, offsetof(Elf64_Phdr, p_filesz));
    const bool whole = segment.size() == sizeof(Elf64_Phdr) && offset <= file.size() &&
                       size <= file.size() - offset;
    ++check.count;
    if (!whole) {
      check.miss(damaged(fmt::format("segment {} ends at {}, the file at {}", i, offset + size,
                                     file.size())),
                 "memory of the crashed machine");
    }
  }
}

}  // namespace

void check_length(int fd, std::uint64_t size, Check& check) {
  const File file(fd, size);
  const std::vector<std::byte> header = file.read(0, kHeaderSize);
  const std::string_view start(reinterpret_cast<const char*>(header.data()), header.size());
  if (start.starts_with(kSignature) && header.size() == kHeaderSize) {
    check_pages(file, header, check);
  } else if (start.starts_with(ELFMAG) && start.size() > EI_CLASS &&
             start[EI_CLASS] == ELFCLASS64) {
    check_segments(file, header, check);
  }
}

}  // namespace kd::verify
