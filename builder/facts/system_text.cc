// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/system_text.h"

#include <algorithm>
#include <charconv>

namespace kd {
namespace {

// Calls `use` with every line, without its line end.
template <typename Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Reads a number after blanks and removes it from `text`.
bool take_number(std::string_view& text, int base, std::uint64_t& number) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return error == std::errc{};
}

}  // namespace

std::uint64_t parse_ram(std::string_view iomem, std::string_view meminfo) {
  std::uint64_t mapped = 0, total = 0;
  for_each_line(iomem, [&](std::string_view line) {
    std::uint64_t first = 0, last = 0;
    if (!take_number(line, 16, first) || !line.starts_with('-')) return;
    line.remove_prefix(1);
    if (!take_number(line, 16, last) || last <= first) return;
    // Hot-plugged persistent or CXL memory: "System RAM (kmem)".
    if (line == " : System RAM" || line.starts_with(" : System RAM (")) mapped += last - first + 1;
  });
  for_each_line(meminfo, [&](std::string_view line) {
    constexpr std::string_view kKey = "MemTotal:";
    if (!line.starts_with(kKey)) return;
    line.remove_prefix(kKey.size());
    std::uint64_t kib = 0;
    if (take_number(line, 10, kib)) total = kib * 1024;
  });
  return std::max(mapped, total);
}

std::vector<std::string> parse_loaded_modules(std::string_view proc_modules) {
  std::vector<std::string> names;
  for_each_line(proc_modules, [&](std::string_view line) {
    const std::string_view name = line.substr(0, line.find(' '));
    if (!name.empty() && name.find('/') == std::string_view::npos) names.emplace_back(name);
  });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::uint64_t parse_module_bytes(std::string_view proc_modules) {
  std::uint64_t bytes = 0;
  for_each_line(proc_modules, [&bytes](std::string_view line) {
    line.remove_prefix(std::min(line.find(' '), line.size()));
    std::uint64_t size = 0;
    if (take_number(line, 10, size) && size < (std::uint64_t{1} << 40)) bytes += size;
  });
  return bytes;
}

std::string parse_time_zone(std::string_view tzif) {
  const std::string unknown = "UTC0";
  if (!tzif.starts_with("TZif") || tzif.size() < 5 || tzif[4] < '2' || !tzif.ends_with('\n')) {
    return unknown;
  }
  tzif.remove_suffix(1);
  const std::string_view footer = tzif.substr(tzif.rfind('\n') + 1);
  const bool printable =
      std::all_of(footer.begin(), footer.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return footer.empty() || !printable ? unknown : std::string(footer);
}

}  // namespace kd
