// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/superblock.h"

#include <algorithm>

namespace kdinit {
namespace {

std::span<const std::byte> at(const DevicePieces& pieces, std::size_t offset, std::size_t size) {
  if (offset >= DevicePieces::kDeepOffset) {
    return std::span(pieces.deep).subspan(offset - DevicePieces::kDeepOffset, size);
  }
  return std::span(pieces.head).subspan(offset, size);
}

std::uint64_t little_endian(const DevicePieces& pieces, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  const auto bytes = at(pieces, offset, size);
  for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<unsigned>(bytes[i]);
  return value;
}

// Feature masks of fs/ext4/ext4.h: a file system with any bit beyond what ext3 knows is ext4.
std::string_view ext_type(const DevicePieces& pieces) {
  const std::uint64_t compat = little_endian(pieces, 0x45c, 4);
  const std::uint64_t incompat = little_endian(pieces, 0x460, 4);
  const std::uint64_t ro_compat = little_endian(pieces, 0x464, 4);
  constexpr std::uint64_t kHasJournal = 0x4, kJournalDevice = 0x8;
  constexpr std::uint64_t kExt3Incompat = 0x2 | 0x4 | 0x10, kExt3ReadOnlyCompat = 0x1 | 0x2 | 0x4;
  if (incompat & kJournalDevice) return {};
  if ((incompat & ~kExt3Incompat) || (ro_compat & ~kExt3ReadOnlyCompat)) return "ext4";
  return compat & kHasJournal ? "ext3" : "ext2";
}

// num_devices and dev_item.devid of struct btrfs_super_block, fs/btrfs/ctree.h.
void read_btrfs_members(const DevicePieces& pieces, Superblock& found) {
  found.members = little_endian(pieces, 0x10088, 8);
  found.member = little_endian(pieces, 0x100c9, 8);
}

struct Format {
  std::string_view type;
  std::size_t magic_offset;
  std::string_view magic;
  std::size_t uuid_offset;
  std::size_t uuid_size;                                // 16, or 4 for a FAT serial number
  std::string_view (*exact_type)(const DevicePieces&);  // may reject with an empty name
  void (*read_members)(const DevicePieces&, Superblock&);
};

constexpr std::array kFormats = {
    Format{"xfs", 0, "XFSB", 0x20, 16, nullptr, nullptr},
    Format{"btrfs", 0x10040, "_BHRfS_M", 0x10020, 16, nullptr, read_btrfs_members},
    Format{"ext4", 0x438, "\x53\xef", 0x468, 16, ext_type, nullptr},
    Format{"vfat", 0x52, "FAT32   ", 0x43, 4, nullptr, nullptr},
    Format{"vfat", 0x36, "FAT16   ", 0x27, 4, nullptr, nullptr},
    Format{"vfat", 0x36, "FAT12   ", 0x27, 4, nullptr, nullptr},
};

bool has_magic(const DevicePieces& pieces, const Format& format) {
  const auto bytes = at(pieces, format.magic_offset, format.magic.size());
  return std::equal(bytes.begin(), bytes.end(), format.magic.begin(),
                    [](std::byte b, char c) { return b == static_cast<std::byte>(c); });
}

void put_uuid(std::span<const std::byte> bytes, TextBuffer& out) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.put('-');
    out.put_hex(std::to_integer<unsigned>(bytes[i]));
  }
}

// A FAT serial number is little-endian and printed in upper case.
void put_serial(std::span<const std::byte> bytes, TextBuffer& out) {
  for (std::size_t i = 4; i-- > 0;) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto byte = std::to_integer<unsigned>(bytes[i]);
    out.put(kDigits[byte >> 4], kDigits[byte & 15]);
    if (i == 2) out.put('-');
  }
}

bool read_format(const DevicePieces& pieces, const Format& format, Superblock& found) {
  if (!has_magic(pieces, format)) return false;
  found.type = format.exact_type ? format.exact_type(pieces) : format.type;
  if (found.type.empty()) return false;
  found.uuid.clear();
  const auto bytes = at(pieces, format.uuid_offset, format.uuid_size);
  format.uuid_size == 4 ? put_serial(bytes, found.uuid) : put_uuid(bytes, found.uuid);
  found.members = 1;
  found.member = 0;
  if (format.read_members) format.read_members(pieces, found);
  return true;
}

}  // namespace

bool same_family(std::string_view found, std::string_view wanted) {
  return found == wanted || (found.starts_with("ext") && wanted.starts_with("ext"));
}

bool identify(const DevicePieces& pieces, std::string_view preferred, Superblock& found) {
  for (const bool first_choice : {true, false}) {
    for (const Format& format : kFormats) {
      if (same_family(format.type, preferred) != first_choice) continue;
      if (read_format(pieces, format, found)) return true;
    }
  }
  found.type = {};
  return false;
}

}  // namespace kdinit
