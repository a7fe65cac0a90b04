// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/multipath_id.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace kdinit::multipath {
namespace {

template <typename Number>
bool parse_number(std::string_view text, Number& number, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  return error == std::errc{} && stop == end;
}

// Of /sys and of udev's scsi_id: the digit is the type of the designator.
struct NameOfKind {
  std::string_view sysfs, udev;
};
constexpr std::array kNames = {NameOfKind{"naa.", "3"}, NameOfKind{"eui.", "2"}};

}  // namespace

std::uint64_t digest(std::string_view bytes, std::uint64_t before) {
  constexpr std::uint64_t kPrime = 0x100000001b3;
  for (char c : bytes) before = (before ^ static_cast<unsigned char>(c)) * kPrime;
  return before;
}

void put_digest(std::uint64_t digest, TextBuffer& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.put_hex(static_cast<unsigned>(digest >> shift));
}

bool put_name(std::string_view wwid, TextBuffer& out) {
  for (const auto& [sysfs, udev] : kNames) {
    if (!wwid.starts_with(sysfs)) continue;
    out.put(udev, wwid.substr(sysfs.size()));
    return true;
  }
  return false;
}

bool put_wwid(std::string_view name, TextBuffer& out) {
  for (const auto& [sysfs, udev] : kNames) {
    if (!name.starts_with(udev)) continue;
    out.put(sysfs, name.substr(udev.size()));
    return true;
  }
  return false;
}

bool parse(const Layer& layer, Line& line) {
  constexpr std::size_t kDigits = 16;
  std::string_view rest = layer.id;
  if (rest.size() < kDigits || !parse_number(rest.substr(0, kDigits), line.digest, 16))
    return false;
  rest.remove_prefix(kDigits);
  if (!rest.empty()) {
    return rest.front() == '/' && parse_number(rest.substr(1), line.partition) &&
           line.partition > 0 && layer.parameters.empty();
  }
  const std::size_t blank = std::min(layer.parameters.find(' '), layer.parameters.size());
  const std::string_view mode = layer.parameters.substr(blank);
  line.failover = mode == " failover";
  return parse_number(layer.parameters.substr(0, blank), line.paths) &&
         (line.failover || mode == " single");
}

}  // namespace kdinit::multipath
