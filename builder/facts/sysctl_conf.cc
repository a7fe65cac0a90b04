// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/sysctl_conf.h"

#include <algorithm>

namespace kd {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

// Why a setting cannot be in the image; empty when it can.
std::string_view complaint(std::string_view key, std::string_view value, bool has_value) {
  if (key.empty()) return "no key before '='";
  if (!has_value) return "give KEY = VALUE";
  if (value.empty()) return "give a value after '='";
  if (key.find_first_of("*?[ \t") != std::string_view::npos) {
    return "patterns and blanks in a key are not possible, name one setting";
  }
  // Dots and slashes may change places, so both lead out of /proc/sys.
  if (key.find("..") != std::string_view::npos || key.find("//") != std::string_view::npos) {
    return "a key has no empty part";
  }
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f;
  };
  if (std::ranges::any_of(key, is_control) || std::ranges::any_of(value, is_control)) {
    return "control characters are not possible";
  }
  return {};
}

}  // namespace

std::string sysctl_path(std::string_view key) {
  std::string path(key);
  const std::size_t separator = key.find_first_of("./");
  if (separator == std::string_view::npos || key[separator] == '/') return path;
  for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
  return path;
}

Result<std::vector<std::string>> parse_sysctl_conf(std::string_view text,
                                                   std::string_view file_name) {
  std::vector<std::string> settings;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = trim(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const std::size_t equals = line.find('=');
    const bool has_value = equals != std::string_view::npos;
    std::string_view key = trim(line.substr(0, equals));
    if (key.starts_with('-')) key = trim(key.substr(1));
    const std::string_view value = has_value ? trim(line.substr(equals + 1)) : std::string_view();
    if (const std::string_view why = complaint(key, value, has_value); !why.empty()) {
      return fail(ErrorKind::kUsage, "{}:{}: '{}': {}", file_name, number, line, why);
    }
    // Lists are often written with tabs, which the kernel reads as blanks and our text file has
    // not.
    std::string setting = fmt::format("{}={}", sysctl_path(key), value);
    std::ranges::replace(setting, '\t', ' ');
    settings.push_back(std::move(setting));
  }
  return settings;
}

Result<std::vector<std::string>> read_sysctl_conf(const FileReader& reader, std::string_view path) {
  const Result<std::string> text = reader.read(path);
  if (!text && text.error().system_error == std::errc::no_such_file_or_directory) {
    return std::vector<std::string>{};
  }
  if (!text) return tl::unexpected(text.error());
  return parse_sysctl_conf(*text, path);
}

}  // namespace kd
