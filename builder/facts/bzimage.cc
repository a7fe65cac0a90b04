// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/bzimage.h"

#include <algorithm>

namespace kd {
namespace {

// Offsets of the header's fields in the file.
constexpr std::size_t kSetupSectors = 0x1f1;
constexpr std::size_t kMagic = 0x202;
constexpr std::size_t kProtocol = 0x206;
constexpr std::size_t kVersionPointer = 0x20e;  // counts from 0x200
constexpr std::size_t kAlignment = 0x230;
constexpr std::size_t kRelocatable = 0x234;
constexpr std::size_t kPayloadOffset = 0x248;  // counts from the end of the setup code
constexpr std::size_t kPayloadLength = 0x24c;
constexpr std::size_t kInitSize = 0x260;
constexpr std::size_t kHeaderEnd = 0x264;
constexpr std::size_t kSector = 512;
constexpr std::uint16_t kFirstWithInitSize = 0x020a;

std::uint32_t number_at(std::string_view image, std::size_t offset, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(image[offset + i]);
  }
  return value;
}

}  // namespace

bool is_bzimage(std::string_view start) {
  return start.size() >= kHeaderEnd && start.substr(kMagic, 4) == "HdrS";
}

Result<BzImage> parse_bzimage(std::string_view start, std::uint64_t file_size) {
  if (!is_bzimage(start)) {
    return fail(ErrorKind::kFailed, "not an x86 bzImage ({} bytes, no HdrS at 0x202)", file_size);
  }
  BzImage result{.protocol = static_cast<std::uint16_t>(number_at(start, kProtocol, 2)),
                 .init_size = number_at(start, kInitSize, 4),
                 .file_size = file_size,
                 .payload_size = number_at(start, kPayloadLength, 4),
                 .alignment = number_at(start, kAlignment, 4),
                 .relocatable = start[kRelocatable] != 0,
                 .version = {}};
  if (result.protocol < kFirstWithInitSize) {
    return fail(ErrorKind::kFailed, "boot protocol {}.{:02} is older than 2.10 of Linux 2.6.31",
                result.protocol >> 8, result.protocol & 0xff);
  }
  // 0 means 4, from the time when the field did not exist.
  const std::size_t sectors = number_at(start, kSetupSectors, 1);
  const std::size_t setup_end = ((sectors == 0 ? 4 : sectors) + 1) * kSector;
  const std::uint64_t end =
      std::uint64_t{setup_end} + number_at(start, kPayloadOffset, 4) + result.payload_size;
  if (file_size < end) {
    return fail(ErrorKind::kFailed,
                "truncated: {} bytes, its header asks for {}; reinstall the kernel package",
                file_size, end);
  }
  if (const std::size_t pointer = number_at(start, kVersionPointer, 2); pointer != 0) {
    // "6.1.0-18-amd64 (debian-kernel@lists.debian.org) #1 SMP ..."
    const std::size_t begin = pointer + 0x200;
    if (begin >= std::min(setup_end, start.size())) {
      return fail(ErrorKind::kFailed, "damaged: its version string is outside the setup code");
    }
    const std::string_view text = start.substr(begin, setup_end - begin);
    result.version = text.substr(0, text.find_first_of(std::string_view(" \0", 2)));
  }
  return result;
}

}  // namespace kd
