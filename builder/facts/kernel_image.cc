// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/kernel_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "builder/facts/bzimage.h"
#include "cpio/compression.h"

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// A kernel is linked to addresses below this, and none is as large.
constexpr std::uint64_t kMostAddress = std::uint64_t{1} << 40;
constexpr std::uint64_t kMostSegments = 64;
// Program headers follow the ELF header of a vmlinux.
constexpr std::size_t kHeaders = 4096;
constexpr std::uint64_t kAlignment = 2 * kMiB;  // of pages in the kernel's own map

// Two huge pages for sme_encrypt_kernel().
constexpr std::uint64_t kScratch = 4 * kMiB;
// .brk starts on a huge page, since the decrypted end of .bss has whole ones, and the scratch area
// on the next. It has 192 KiB, of which 64 are used.
constexpr std::uint64_t kBeforeScratch = 2 * kMiB;
constexpr std::uint64_t kBrk = 64 << 10;

template <typename Header>
bool copy_header(std::string_view file, std::uint64_t offset, Header& header) {
  if (offset > file.size() || file.size() - offset < sizeof header) return false;
  std::memcpy(&header, file.data() + offset, sizeof header);
  return true;
}

// From the first byte of the load segments to the last, by physical addresses; 0: no such ELF file.
std::uint64_t extent_of(std::string_view elf) {
  Elf64_Ehdr file;
  if (!copy_header(elf, 0, file) || std::memcmp(&file.e_ident, ELFMAG, SELFMAG) != 0 ||
      file.e_ident[EI_CLASS] != ELFCLASS64 || file.e_machine != EM_X86_64 ||
      file.e_phentsize != sizeof(Elf64_Phdr)) {
    return 0;
  }
  std::uint64_t first = std::numeric_limits<std::uint64_t>::max(), end = 0;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(file.e_phnum, kMostSegments); ++i) {
    Elf64_Phdr segment;
    if (file.e_phoff > elf.size() ||
        !copy_header(elf, file.e_phoff + i * sizeof segment, segment)) {
      return 0;
    }
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    if (segment.p_paddr > kMostAddress || segment.p_memsz > kMostAddress) return 0;
    first = std::min(first, std::uint64_t{segment.p_paddr});
    end = std::max(end, segment.p_paddr + segment.p_memsz);
  }
  return end > first ? end - first : 0;
}

std::uint64_t kept_of(std::uint64_t extent, bool memory_encryption) {
  constexpr std::uint64_t kNotKept = kScratch + kBeforeScratch;
  return memory_encryption && extent > kNotKept ? extent - kNotKept + kBrk : extent;
}

}  // namespace

Result<KernelImage> parse_kernel_image(std::string_view start, std::uint64_t file_size,
                                       bool memory_encryption) {
  if (!is_bzimage(start)) {
    const std::uint64_t extent = extent_of(start);
    if (extent == 0) return KernelImage{};
    return KernelImage{
        .memory = kept_of(extent, memory_encryption), .piece = extent, .alignment = kAlignment};
  }
  KD_TRY(const BzImage header, parse_bzimage(start, file_size));
  if (header.payload >= start.size()) return KernelImage{};
  const Result<std::string> elf =
      cpio::decompress_start(start.substr(header.payload, header.payload_size), kHeaders);
  const std::uint64_t extent = elf ? extent_of(*elf) : 0;
  if (extent == 0 || extent > header.init_size) return KernelImage{};
  return KernelImage{.memory = kept_of(extent, memory_encryption),
                     .piece = header.init_size,
                     .alignment = header.alignment};
}

}  // namespace kd
