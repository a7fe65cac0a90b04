// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/init_config.h"

#include <algorithm>
#include <charconv>

#include "builder/init/storage/luks.h"
#include "builder/init/storage/md.h"
#include "builder/init/storage/multipath_id.h"

namespace kdinit {
namespace {

// Every setter returns the message of an error, or nullptr.
using Message = const char*;

Message set_text(std::string_view value, std::string_view& target) {
  target = value;
  return nullptr;
}

Message set_number(std::string_view value, std::uint32_t low, std::uint32_t high,
                   std::uint32_t& target) {
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, target);
  if (error != std::errc{} || stop != end) return "not a number";
  if (target < low || target > high) return "number out of range";
  return nullptr;
}

Message set_flag(std::string_view value, bool& target) {
  if (value != "0" && value != "1") return "must be 0 or 1";
  target = value == "1";
  return nullptr;
}

Message set_capture(std::string_view value, CaptureMode& target) {
  if (value != "direct" && value != "rootfs") return "must be direct or rootfs";
  target = value == "rootfs" ? CaptureMode::kRootfs : CaptureMode::kDirect;
  return nullptr;
}

Message set_action(std::string_view value, FinalAction& target) {
  if (value == "reboot") {
    target = FinalAction::kReboot;
  } else if (value == "halt") {
    target = FinalAction::kHalt;
  } else if (value == "poweroff") {
    target = FinalAction::kPoweroff;
  } else {
    return "must be reboot, halt or poweroff";
  }
  return nullptr;
}

// Absolute, no empty, "." or ".." component: init joins it to a mount point without looking.
bool is_plain_path(std::string_view path) {
  if (!path.starts_with('/')) return false;
  if (path == "/") return true;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    path.remove_prefix(part.size());
  }
  return true;
}

Message set_directory(std::string_view value, std::string_view& target) {
  if (!is_plain_path(value)) return "must be an absolute path without empty, . or .. parts";
  return set_text(value, target);
}

Message set_type(std::string_view value, std::string_view& target) {
  constexpr std::array<std::string_view, 6> kTypes = {"ext2", "ext3",  "ext4",
                                                      "xfs",  "btrfs", "vfat"};
  if (std::find(kTypes.begin(), kTypes.end(), value) == kTypes.end()) {
    return "file system not known to init";
  }
  return set_text(value, target);
}

Message add_module(std::string_view value, bool for_root, InitConfig& config) {
  const std::size_t blank = value.find(' ');
  ModuleLine module{.path = value.substr(0, blank), .options = {}, .for_root = for_root};
  if (blank != std::string_view::npos) module.options = value.substr(blank + 1);
  if (!is_plain_path(module.path)) return "module path must be absolute";
  return config.modules.push(module) ? nullptr : "too many modules";
}

Message add_packed(std::string_view value, InitConfig& config) {
  if (!is_plain_path(value) || !value.ends_with(".xz")) return "must be an absolute path of .xz";
  return config.packed.push(value) ? nullptr : "too many packed files";
}

// An id of lvm: 32 letters and digits in seven groups.
bool is_lvm_id(std::string_view id) {
  constexpr std::string_view kForm = "xxxxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxxxx";
  return id.size() == kForm.size() &&
         std::equal(id.begin(), id.end(), kForm.begin(), [](char c, char form) {
           const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
           return form == '-' ? c == '-' : letter || (c >= '0' && c <= '9');
         });
}

bool is_multipath(const Layer& layer) {
  multipath::Line line;
  return multipath::parse(layer, line);
}

struct KindOfLayer {
  LayerKind kind;
  std::string_view name;
  bool (*fits)(const Layer& layer);
  Message usage;
};
constexpr std::array kKindsOfLayer = {
    KindOfLayer{LayerKind::kLvm, "lvm",
                [](const Layer& l) { return is_lvm_id(l.id) && is_lvm_id(l.parameters); },
                "must be lvm LVID VGID"},
    KindOfLayer{LayerKind::kMultipath, "multipath", is_multipath,
                "must be multipath DIGEST PATHS failover|single or DIGEST/PARTITION"},
    KindOfLayer{LayerKind::kMd, "md",
                [](const Layer& l) {
                  md::Wanted wanted;
                  return md::parse_wanted(l.id, l.parameters, wanted);
                },
                "must be md UUID MEMBER..."},
    KindOfLayer{LayerKind::kLuks, "luks",
                [](const Layer& l) {
                  luks::Opening opening;
                  return luks::is_uuid(l.id) && luks::parse_opening(l.parameters, opening);
                },
                "must be luks UUID KEY CIPHER NAME"},
};

// Takes the first word from `text`, and the blank behind it.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

Message add_layer(std::string_view value, InitConfig& config) {
  const std::string_view name = take_word(value);
  const auto* row = std::ranges::find(kKindsOfLayer, name, &KindOfLayer::name);
  if (row == kKindsOfLayer.end()) return "layer not known to init";
  const std::string_view id = take_word(value);
  const Layer layer{.kind = row->kind, .id = id, .parameters = value};
  if (!row->fits(layer)) return row->usage;
  for (const Layer& other : config.layers) {
    if (other.kind == layer.kind && other.id == layer.id) return "layer appears twice";
  }
  return config.layers.push(layer) ? nullptr : "too many layers";
}

template <std::size_t N>
Message add(std::string_view value, List<std::string_view, N>& list) {
  return list.push(value) ? nullptr : "too many lines of this key";
}

// "vm/nr_hugepages=0". A path may not leave /proc/sys.
Message add_sysctl(std::string_view value, InitConfig& config) {
  const std::size_t equals = value.find('=');
  const std::string_view path = value.substr(0, equals);
  if (equals == std::string_view::npos || path.empty()) return "must be PATH=VALUE";
  if (path.find("..") != std::string_view::npos) return "sysctl path with .. in it";
  return add(value, config.sysctls);
}

struct Key {
  std::string_view name;
  bool repeats;
  Message (*set)(std::string_view value, InitConfig& config);
};

using Value = std::string_view;
constexpr std::array kKeys = {
    Key{"kernel", false, [](Value v, InitConfig& c) { return set_text(v, c.kernel); }},
    Key{"time-zone", false, [](Value v, InitConfig& c) { return set_text(v, c.time_zone); }},
    Key{"capture", false, [](Value v, InitConfig& c) { return set_capture(v, c.capture); }},
    Key{"module", true, [](Value v, InitConfig& c) { return add_module(v, false, c); }},
    Key{"root-module", true, [](Value v, InitConfig& c) { return add_module(v, true, c); }},
    Key{"unpack", true, add_packed},
    Key{"layer", true, add_layer},
    Key{"target-type", false, [](Value v, InitConfig& c) { return set_type(v, c.target.type); }},
    Key{"target-uuid", false, [](Value v, InitConfig& c) { return set_text(v, c.target.uuid); }},
    Key{"target-options", false,
        [](Value v, InitConfig& c) { return set_text(v, c.target.options); }},
    Key{"root-type", false, [](Value v, InitConfig& c) { return set_type(v, c.root.type); }},
    Key{"root-uuid", false, [](Value v, InitConfig& c) { return set_text(v, c.root.uuid); }},
    Key{"root-options", false, [](Value v, InitConfig& c) { return set_text(v, c.root.options); }},
    Key{"dump-directory", false,
        [](Value v, InitConfig& c) { return set_directory(v, c.dump_directory); }},
    Key{"target-timeout", false,
        [](Value v, InitConfig& c) { return set_number(v, 1, 3600, c.target_timeout); }},
    Key{"stall-timeout", false,
        [](Value v, InitConfig& c) { return set_number(v, 0, 86400, c.stall_timeout); }},
    Key{"dump-argument", true, [](Value v, InitConfig& c) { return add(v, c.dump_arguments); }},
    Key{"retry-argument", true, [](Value v, InitConfig& c) { return add(v, c.retry_arguments); }},
    Key{"dump-note", false, [](Value v, InitConfig& c) { return set_text(v, c.dump_note); }},
    Key{"skip-dmesg", false, [](Value v, InitConfig& c) { return set_flag(v, c.skip_dmesg); }},
    Key{"dmesg-only", false, [](Value v, InitConfig& c) { return set_flag(v, c.dmesg_only); }},
    Key{"keep-dumps", false,
        [](Value v, InitConfig& c) { return set_number(v, 0, 1'000'000, c.keep_dumps); }},
    Key{"final-action", false,
        [](Value v, InitConfig& c) { return set_action(v, c.final_action); }},
    Key{"failure-action", false,
        [](Value v, InitConfig& c) { return set_action(v, c.failure_action); }},
    Key{"sysctl", true, add_sysctl},
};

bool has_control_character(std::string_view line) {
  return std::any_of(line.begin(), line.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// One "KEY VALUE" line. `seen` has one entry for each of kKeys.
Message parse_line(std::string_view line, InitConfig& config,
                   std::array<bool, kKeys.size()>& seen) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos || blank + 1 == line.size()) return "key without a value";
  const std::string_view name = line.substr(0, blank);
  const std::string_view value = line.substr(blank + 1);
  if (value.size() > kMaxValueBytes) return "value too long";
  for (std::size_t i = 0; i < kKeys.size(); ++i) {
    if (kKeys[i].name != name) continue;
    if (seen[i] && !kKeys[i].repeats) return "key appears twice";
    seen[i] = true;
    return kKeys[i].set(value, config);
  }
  return "unknown key";
}

Message find_missing(const InitConfig& config) {
  if (config.kernel.empty()) return "no kernel line";
  const bool rootfs = config.capture == CaptureMode::kRootfs;
  if (!rootfs && config.target.type.empty()) return "no target-type line";
  if (!rootfs && config.target.uuid.empty()) return "no target-uuid line";
  if (!rootfs && config.dump_directory.empty()) return "no dump-directory line";
  const bool has_root = rootfs || !config.root.uuid.empty() || !config.root.options.empty();
  if (has_root && config.root.type.empty()) return "no root-type line";
  if (!config.root.type.empty() && config.root.uuid.empty()) return "no root-uuid line";
  return nullptr;
}

}  // namespace

std::string_view name_of(LayerKind kind) {
  return std::ranges::find(kKindsOfLayer, kind, &KindOfLayer::kind)->name;
}

ParseError parse(std::string_view text, InitConfig& config) {
  if (text.size() > kMaxConfigBytes) return {1, "configuration too large"};
  std::array<bool, kKeys.size()> seen{};
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (has_control_character(line)) return {number, "control character"};
    if (number == 1) {
      constexpr std::string_view kHead = "kdump-init ";
      if (!line.starts_with(kHead)) return {number, "first line is not \"kdump-init 2\""};
      if (line.substr(kHead.size()) != kConfigVersion) return {number, "unknown version"};
      continue;
    }
    if (line.empty() || line.starts_with('#')) continue;
    if (Message message = parse_line(line, config, seen)) return {number, message};
  }
  if (number == 0) return {1, "empty configuration"};
  if (Message message = find_missing(config)) return {number + 1, message};
  return {};
}

}  // namespace kdinit
