// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/pe_signature.h"

#include <cstddef>
#include <cstdint>

namespace kd {
namespace {

constexpr std::size_t kHeaderOffset = 0x3c;  // where the file says where its PE header is
constexpr std::size_t kOptionalHeader = 24;  // behind the PE header's mark and the COFF header
// In the optional header of PE32+.
constexpr std::uint32_t kPe32Plus = 0x20b;
constexpr std::size_t kDirectoryCount = 108;
constexpr std::size_t kDirectories = 112;
constexpr std::size_t kCertificateTable = 4;  // its index; an entry is offset and size

// 0 beyond the end.
std::uint32_t number_at(std::string_view image, std::size_t offset, std::size_t bytes) {
  if (offset > image.size() || bytes > image.size() - offset) return 0;
  std::uint32_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(image[offset + i]);
  }
  return value;
}

}  // namespace

bool has_pe_signature(std::string_view start) {
  if (!start.starts_with("MZ")) return false;
  const std::size_t header = number_at(start, kHeaderOffset, 4);
  if (header > start.size() || !start.substr(header).starts_with(std::string_view("PE\0\0", 4))) {
    return false;
  }
  const std::size_t optional = header + kOptionalHeader;
  if (number_at(start, optional, 2) != kPe32Plus ||
      number_at(start, optional + kDirectoryCount, 4) <= kCertificateTable) {
    return false;
  }
  const std::size_t entry = optional + kDirectories + kCertificateTable * 8;
  return number_at(start, entry, 4) != 0 && number_at(start, entry + 4, 4) != 0;
}

}  // namespace kd
