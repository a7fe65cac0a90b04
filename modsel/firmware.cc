// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/firmware.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <array>
#include <map>
#include <set>

namespace modsel {
namespace {

constexpr std::string_view kRoot = "/lib/firmware";
constexpr std::array<std::string_view, 3> kSuffixes = {"", ".zst", ".xz"};

bool is_file(const kd::FileReader& reader, const std::string& path) {
  const kd::Result<kd::FileStatus> status = reader.status(path);
  return status && status->type == kd::FileType::kRegular;
}

// Follows `pattern` component by component below `directory`.
void match(const kd::FileReader& reader, const std::string& directory, std::string_view pattern,
           std::vector<std::string>& paths) {
  const std::size_t slash = pattern.find('/');
  const std::string component(pattern.substr(0, slash));
  const bool last = slash == std::string_view::npos;
  for (const std::string& name : reader.list(directory).value_or(std::vector<std::string>{})) {
    const std::string path = fmt::format("{}/{}", directory, name);
    if (!last) {
      if (::fnmatch(component.c_str(), name.c_str(), FNM_PERIOD) == 0) {
        match(reader, path, pattern.substr(slash + 1), paths);
      }
      continue;
    }
    for (const std::string_view suffix : kSuffixes) {
      if (::fnmatch((component + std::string(suffix)).c_str(), name.c_str(), FNM_PERIOD) == 0 &&
          is_file(reader, path)) {
        paths.push_back(path);
        break;
      }
    }
  }
}

std::vector<std::string> find_paths(const kd::FileReader& reader, std::string_view version,
                                    const std::string& name) {
  std::vector<std::string> paths;
  // A name that leads out of the directory is no firmware; modules of unknown origin may say it.
  if (name.empty() || name.front() == '/' ||
      fmt::format("/{}/", name).find("/../") != std::string::npos) {
    return paths;
  }
  const bool pattern = name.find_first_of("*?[") != std::string::npos;
  for (const std::string& directory :
       {fmt::format("{}/updates/{}", kRoot, version), fmt::format("{}/updates", kRoot),
        fmt::format("{}/{}", kRoot, version), std::string(kRoot)}) {
    if (pattern) {
      match(reader, directory, name, paths);
      continue;
    }
    for (const std::string_view suffix : kSuffixes) {
      const std::string path = fmt::format("{}/{}{}", directory, name, suffix);
      if (is_file(reader, path)) return {path};
    }
  }
  return paths;
}

}  // namespace

FirmwareSet find_firmware(const std::vector<Module>& modules, std::string_view version,
                          const kd::FileReader& reader) {
  FirmwareSet result;
  std::map<std::string, FirmwareFile> files;
  std::set<std::string> asked;
  for (const Module& module : modules) {
    for (const std::string& name : module.firmware) {
      if (!asked.insert(name).second) continue;
      const std::vector<std::string> paths = find_paths(reader, version, name);
      if (paths.empty()) result.missing.push_back({name, module.name});
      for (const std::string& path : paths) {
        const std::string found = path.substr(kRoot.size() + 1);
        files.try_emplace(found, FirmwareFile{found, path, module.name});
      }
    }
  }
  for (auto& [name, file] : files) result.files.push_back(std::move(file));
  return result;
}

}  // namespace modsel
