// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/machine_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>

namespace kd {
namespace {

// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || length > text.size()) return false;
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return false;
    }
    if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ||
        (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90)) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

bool is_name(std::string_view value) {
  return !value.empty() && value != "." && value.find('/') == std::string_view::npos &&
         value.find("..") == std::string_view::npos;
}

bool leads_up(std::string_view path) {
  return path == ".." || path.starts_with("../") || path.ends_with("/..") ||
         path.find("/../") != std::string_view::npos;
}

bool is_uuid(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == ':' || c == '_';
  });
}

bool is_lvm_id(std::string_view value) {
  constexpr std::string_view kForm = "xxxxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxxxx";
  return std::equal(value.begin(), value.end(), kForm.begin(), kForm.end(), [](char c, char form) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return form == '-' ? c == '-' : letter || (c >= '0' && c <= '9');
  });
}

using Names = std::set<std::string_view>;

std::string missing(const Names& names, std::string_view path, const std::string& name) {
  return name.empty() || names.contains(name)
             ? ""
             : fmt::format("{}: there is no device '{}'", path, name);
}

std::string problem_of_mount(const Names& names, std::string_view path, const DumpMount& mount) {
  std::string problem = missing(names, fmt::format("{}/device", path), mount.device);
  for (std::size_t i = 0; i < mount.members.size() && problem.empty(); ++i) {
    problem = missing(names, fmt::format("{}/members/{}", path, i), mount.members[i]);
  }
  return problem;
}

// Takes away devices with nothing left below them; a loop stays.
bool has_loop(const std::vector<BlockDevice>& devices) {
  Names done;
  for (std::size_t before = devices.size() + 1; before != done.size();) {
    before = done.size();
    for (const BlockDevice& device : devices) {
      const bool ready = std::all_of(device.below.begin(), device.below.end(),
                                     [&](const std::string& name) { return done.contains(name); });
      if (ready) done.insert(device.name);
    }
  }
  return done.size() != devices.size();
}

}  // namespace

std::string problem_of(std::string_view value, Check check) {
  const bool controls = std::any_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
  if (controls) return "has a control character";
  if (!is_utf8(value)) return "is not UTF-8; such a name cannot be kept in a record, rename it";
  switch (check) {
    case Check::kText:
      return {};
    case Check::kNameOrEmpty:
      if (value.empty()) return {};
      [[fallthrough]];
    case Check::kName:
      return is_name(value) ? "" : "is no name (empty, or with / or ..)";
    case Check::kPath:
      return value.starts_with('/') && !leads_up(value) ? "" : "is no absolute path without ..";
    case Check::kSysPath:
      return value.starts_with("devices/") && !leads_up(value) ? "" : "is no path in devices/";
    case Check::kUuid:
      return is_uuid(value) ? "" : "is no UUID";
    case Check::kLvmId:
      return is_lvm_id(value) ? "" : "is no id of lvm";
  }
  return {};
}

std::string problem_of_references(const MachineFacts& machine) {
  Names names;
  for (std::size_t i = 0; i < machine.devices.size(); ++i) {
    if (!names.insert(machine.devices[i].name).second) {
      return fmt::format("/devices/{}/name: '{}' is there twice", i, machine.devices[i].name);
    }
  }
  for (std::size_t i = 0; i < machine.devices.size(); ++i) {
    const std::vector<std::string>& below = machine.devices[i].below;
    for (std::size_t k = 0; k < below.size(); ++k) {
      const std::string path = fmt::format("/devices/{}/below/{}", i, k);
      if (std::string problem = missing(names, path, below[k]); !problem.empty()) return problem;
    }
  }
  if (has_loop(machine.devices)) return "/devices: a device is below itself";
  std::string problem = problem_of_mount(names, "/dump_mount", machine.dump_mount);
  if (problem.empty() && machine.root_mount) {
    problem = problem_of_mount(names, "/root_mount", *machine.root_mount);
  }
  return problem;
}

}  // namespace kd
