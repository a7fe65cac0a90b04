// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/vmcoreinfo.h"

#include <fmt/format.h>

#include <charconv>

namespace kd::verify {
namespace {

std::optional<std::uint64_t> parse(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Vmcoreinfo::Vmcoreinfo(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    values_.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
}

std::string_view Vmcoreinfo::text(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::string_view{} : found->second;
}

std::optional<std::uint64_t> Vmcoreinfo::symbol(std::string_view name) const {
  return parse(text(fmt::format("SYMBOL({})", name)), 16);
}

std::optional<std::uint64_t> Vmcoreinfo::number(std::string_view kind,
                                                std::string_view name) const {
  return parse(text(fmt::format("{}({})", kind, name)), 10);
}

}  // namespace kd::verify
