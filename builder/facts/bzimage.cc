// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/bzimage.h"

namespace kd {
namespace {

// Offsets of the header's fields in the file.
constexpr std::size_t kSetupSectors = 0x1f1;
constexpr std::size_t kMagic = 0x202;
constexpr std::size_t kProtocol = 0x206;
constexpr std::size_t kAlignment = 0x230;
constexpr std::size_t kRelocatable = 0x234;
constexpr std::size_t kPayloadOffset = 0x248;  // counts from the end of the setup code
constexpr std::size_t kPayloadLength = 0x24c;
constexpr std::size_t kInitSize = 0x260;
constexpr std::size_t kHeaderEnd = 0x264;
constexpr std::size_t kSector = 512;
constexpr std::uint16_t kOldestProtocol = 0x020a;

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
  const std::uint32_t protocol = number_at(start, kProtocol, 2);
  if (protocol < kOldestProtocol) {
    return fail(ErrorKind::kFailed, "boot protocol {}.{:02} is older than 2.10 of Linux 2.6.31",
                protocol >> 8, protocol & 0xff);
  }
  // 0 means 4, from the time when the field did not exist.
  const std::size_t sectors = number_at(start, kSetupSectors, 1);
  const std::size_t setup_end = ((sectors == 0 ? 4 : sectors) + 1) * kSector;
  const std::uint64_t payload = std::uint64_t{setup_end} + number_at(start, kPayloadOffset, 4);
  const std::uint64_t payload_size = number_at(start, kPayloadLength, 4);
  const std::uint64_t end = payload + payload_size;
  if (file_size < end) {
    return fail(ErrorKind::kFailed,
                "truncated: {} bytes, its header asks for {}; reinstall the kernel package",
                file_size, end);
  }
  return BzImage{.relocatable = start[kRelocatable] != 0,
                 .alignment = number_at(start, kAlignment, 4),
                 .init_size = number_at(start, kInitSize, 4),
                 .payload = payload,
                 .payload_size = payload_size};
}

}  // namespace kd
