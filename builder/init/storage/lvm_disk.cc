// SPDX-License-Identifier: GPL-2.0-or-later
//
// The binary part of LVM2: label, physical volume header, headers of metadata areas.
#include <string.h>

#include <algorithm>

#include "builder/init/storage/crc.h"
#include "builder/init/storage/little_endian.h"
#include "builder/init/storage/lvm.h"

namespace kdinit::lvm {
namespace {

constexpr std::size_t kSectorSize = 512;
constexpr unsigned kLabelSectors = 4;  // lvm looks for a label in these
constexpr std::uint32_t kInitialCrc = 0xf597a6cf;
using Sector = std::array<unsigned char, kSectorSize>;

std::uint32_t crc(std::uint32_t value, std::span<const unsigned char> bytes) {
  return plain_crc<0xedb88320>(value, bytes);
}

bool has_text(const Sector& sector, std::size_t offset, std::string_view text) {
  return ::memcmp(sector.data() + offset, text.data(), text.size()) == 0;
}

// A list of {offset, size} that ends with an offset of 0. `place` is where it starts, and then
// where the next one does. False when it has no end inside the sector.
bool read_areas(const Sector& sector, std::size_t& place, List<Area, kMaxAreas>* areas) {
  for (; place + 16 <= kSectorSize; place += 16) {
    const Area area{little_endian(sector, place, 8), little_endian(sector, place + 8, 8)};
    if (area.offset == 0) {
      place += 16;
      return true;
    }
    if (areas != nullptr && !areas->push(area)) return false;
  }
  return false;
}

bool read_header(const Sector& sector, Label& label) {
  // struct label_header: "LABELONE", sector u64, crc u32 of what follows it, offset u32, type.
  constexpr std::size_t kCrcPlace = 16, kCheckedPlace = 20, kOffsetPlace = 20, kIdSize = 32;
  if (crc(kInitialCrc, std::span(sector).subspan(kCheckedPlace)) !=
      little_endian(sector, kCrcPlace, 4)) {
    return false;
  }
  const std::uint64_t header = little_endian(sector, kOffsetPlace, 4);
  std::size_t place = header + kIdSize + 8;  // struct pv_header: id, device size, areas
  if (header > kSectorSize || place > kSectorSize) return false;
  ::memcpy(label.physical_volume.characters.data(), sector.data() + header, kIdSize);
  label.areas.count = 0;
  return read_areas(sector, place, nullptr) && read_areas(sector, place, &label.areas);
}

// struct mda_header, and of its raw_locns the first: the second one is a change under way.
struct AreaHeader {
  std::uint64_t offset = 0, size = 0;  // of the text, from the start of the area
  std::uint32_t checksum = 0;
};

TextState read_area_header(BlockReader& device, const Area& area, AreaHeader& header) {
  constexpr std::string_view kMagic = " LVM2 x[5A%r0N*>";
  Sector sector;
  if (device.read(area.offset, sector.data(), sector.size()) != 0) return TextState::kDamaged;
  if (crc(kInitialCrc, std::span(sector).subspan(4)) != little_endian(sector, 0, 4) ||
      !has_text(sector, 4, kMagic) || little_endian(sector, 20, 4) != 1 ||
      little_endian(sector, 24, 8) != area.offset || little_endian(sector, 32, 8) != area.size) {
    return TextState::kDamaged;
  }
  header.offset = little_endian(sector, 40, 8);
  header.size = little_endian(sector, 48, 8);
  header.checksum = static_cast<std::uint32_t>(little_endian(sector, 56, 4));
  const bool ignored = little_endian(sector, 60, 4) & 1;  // RAW_LOCN_IGNORED
  if (ignored || header.offset == 0) return TextState::kNoText;
  if (area.size < kSectorSize || header.offset < kSectorSize || header.offset >= area.size ||
      header.size == 0 || header.size > area.size - kSectorSize) {
    return TextState::kDamaged;
  }
  return TextState::kValid;
}

}  // namespace

LabelState read_label(BlockReader& device, Label& label) {
  LabelState state = LabelState::kNone;
  for (unsigned number = 0; number < kLabelSectors; ++number) {
    Sector sector;
    if (device.read(number * kSectorSize, sector.data(), sector.size()) != 0) break;
    if (!has_text(sector, 0, "LABELONE") || !has_text(sector, 24, "LVM2 001")) continue;
    if (little_endian(sector, 8, 8) != number) continue;  // a copy of one, lvm passes over it
    if (read_header(sector, label)) return LabelState::kFound;
    state = LabelState::kDamaged;
  }
  return state;
}

TextState read_text(BlockReader& device, const Area& area, std::span<char> buffer,
                    std::string_view& text) {
  AreaHeader header;
  const TextState state = read_area_header(device, area, header);
  if (state != TextState::kValid) return state;
  if (header.size > buffer.size()) return TextState::kTooLarge;
  // What passes the end of the area goes on behind its header.
  const std::uint64_t before_end = std::min(header.size, area.size - header.offset);
  const std::uint64_t wrapped = header.size - before_end;
  if (device.read(area.offset + header.offset, buffer.data(), before_end) != 0 ||
      (wrapped > 0 &&
       device.read(area.offset + kSectorSize, buffer.data() + before_end, wrapped))) {
    return TextState::kDamaged;
  }
  const std::span bytes(reinterpret_cast<const unsigned char*>(buffer.data()), header.size);
  if (crc(kInitialCrc, bytes) != header.checksum) return TextState::kDamaged;
  text = {buffer.data(), header.size};
  while (text.ends_with('\0')) text.remove_suffix(1);
  return TextState::kValid;
}

bool parse_id(std::string_view text, Id& id) {
  constexpr std::string_view kForm = "xxxxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxxxx";
  if (text.size() != kForm.size()) return false;
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] == '-') != (kForm[i] == '-')) return false;
    if (text[i] != '-') id.characters[count++] = text[i];
  }
  return true;
}

void put_id(const Id& id, TextBuffer& out) {
  for (std::size_t i = 0; i < id.characters.size(); ++i) {
    if (i >= 6 && i <= 26 && (i - 6) % 4 == 0) out.put('-');
    out.put(id.characters[i]);
  }
}

}  // namespace kdinit::lvm
