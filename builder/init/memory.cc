// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/memory.h"

#include <charconv>

namespace kdinit {
namespace {

std::uint64_t number_after(std::string_view text, std::string_view key) {
  std::size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  at = text.find_first_not_of(' ', at + key.size());
  std::uint64_t value = 0;
  if (at != std::string_view::npos) {
    std::from_chars(text.data() + at, text.data() + text.size(), value);
  }
  return value;
}

}  // namespace

Memory parse_meminfo(std::string_view text) {
  return {.total = number_after(text, "MemTotal:"),
          .free = number_after(text, "MemFree:"),
          .available = number_after(text, "MemAvailable:"),
          .cached = number_after(text, "\nCached:")};
}

std::uint64_t parse_iomem_ram(std::string_view text) {
  std::uint64_t bytes = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.ends_with(" : System RAM")) continue;
    const char* end = line.data() + line.size();
    std::uint64_t first = 0, last = 0;
    const auto [dash, first_error] = std::from_chars(line.data(), end, first, 16);
    if (first_error != std::errc{} || dash == end || *dash != '-') continue;  // indented: a part
    const auto [stop, last_error] = std::from_chars(dash + 1, end, last, 16);
    if (last_error == std::errc{} && last > first) bytes += last - first + 1;
  }
  return bytes;
}

}  // namespace kdinit
