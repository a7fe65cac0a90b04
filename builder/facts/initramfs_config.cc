// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/initramfs_config.h"

#include <algorithm>
#include <charconv>
#include <regex>

namespace kd {
namespace {

constexpr std::string_view kBlanks = " \t";

bool is_module_name(std::string_view name) {
  return name.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
         std::string_view::npos;
}

// The files of conf.d that mkinitramfs(8) reads.
bool is_configuration_name(std::string_view name) {
  static const std::regex known("[A-Za-z0-9][A-Za-z0-9._-]*");
  return std::regex_match(name.begin(), name.end(), known) &&
         name.find(".dpkg-") == std::string_view::npos;
}

bool is_missing(const Error& error) {
  return error.system_error == std::errc::no_such_file_or_directory;
}

// Takes over what `path` sets; a missing file sets nothing.
Result<void> apply_file(const FileReader& reader, const std::string& path, ShellVariables& set) {
  const Result<std::string> text = reader.read(path);
  if (!text && is_missing(text.error())) return {};
  if (!text) return tl::unexpected(text.error());
  KD_TRY(set, parse_shell_assignments(*text, path, std::move(set)));
  return {};
}

std::string value_of(const ShellVariables& variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

}  // namespace

Result<std::vector<ExtraModule>> parse_module_list(std::string_view text,
                                                   std::string_view file_name) {
  std::vector<ExtraModule> modules;
  for (std::size_t start = 0, number = 1; start < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    start = end + 1;
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    if (line.empty() || line.starts_with('#')) continue;

    const std::size_t name_end = std::min(line.find_first_of(kBlanks), line.size());
    const std::string_view name = line.substr(0, name_end);
    std::string_view options = line.substr(name_end);
    options.remove_prefix(std::min(options.find_first_not_of(kBlanks), options.size()));
    const bool printable = std::none_of(options.begin(), options.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 && c != '\t';
    });
    if (!is_module_name(name) || !printable) {
      return fail(ErrorKind::kUsage, "{}:{}: '{}' is no module: write NAME [OPTION=VALUE]...",
                  file_name, number, printable ? name : "control character");
    }
    modules.push_back({.name = std::string(name), .options = std::string(options)});
  }
  return modules;
}

Result<InitramfsConfig> read_initramfs_config(const FileReader& reader,
                                              std::string_view directory) {
  const std::string dir(directory);
  KD_CHECK(reader.list(dir).map([](const auto&) {}));
  InitramfsConfig config;

  const std::string list_path = dir + "/modules";
  const Result<std::string> list = reader.read(list_path);
  if (!list && !is_missing(list.error())) return tl::unexpected(list.error());
  KD_TRY(config.modules, parse_module_list(list.value_or(""), list_path));

  ShellVariables set;
  KD_CHECK(apply_file(reader, dir + "/initramfs.conf", set));
  for (const std::string& name :
       reader.list(dir + "/conf.d").value_or(std::vector<std::string>{})) {
    const std::string path = dir + "/conf.d/" + name;
    const Result<FileStatus> status = reader.status(path);
    if (!is_configuration_name(name) || (status && status->type == FileType::kDirectory)) continue;
    KD_CHECK(apply_file(reader, path, set));
  }
  config.policy = value_of(set, "MODULES");
  config.compress = value_of(set, "COMPRESS");
  if (const std::string level = value_of(set, "COMPRESSLEVEL"); !level.empty()) {
    int number = 0;
    const char* end = level.data() + level.size();
    const auto [stop, error] = std::from_chars(level.data(), end, number);
    if (error != std::errc{} || stop != end || number < 0 || number > 22) {
      return fail(ErrorKind::kUsage, "{}: COMPRESSLEVEL=\"{}\" is no level: give 0 to 22", dir,
                  level);
    }
    config.level = number;
  }
  return config;
}

}  // namespace kd
