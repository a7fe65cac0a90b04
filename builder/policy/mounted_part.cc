// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/mounted_part.h"

#include <algorithm>
#include <array>
#include <utility>

#include "builder/base/path.h"

namespace kd {
namespace {

// Where the value of option `key` ("subvol=") starts, npos when there is none. The last one counts.
std::size_t value_at(std::string_view options, std::string_view key) {
  for (std::size_t at = options.rfind(key); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : options.rfind(key, at - 1)) {
    if (at == 0 || options[at - 1] == ',') return at + key.size();
  }
  return std::string_view::npos;
}

// The value of an option that holds no comma; empty when there is none.
std::string_view value_of(std::string_view options, std::string_view key) {
  const std::size_t at = value_at(options, key);
  if (at == std::string_view::npos) return {};
  return options.substr(at, std::min(options.find(',', at), options.size()) - at);
}

bool has_word(std::string_view options, std::string_view word) {
  return value_at("," + std::string(options) + ",", std::string(word) + ",") !=
         std::string_view::npos;
}

// The subvolume that holds the root of a mount. The kernel writes its path last among the options,
// commas included (btrfs_show_options() in fs/btrfs/super.c), fstab anywhere and without the first
// slash; so the longest reading counts that leads to the mounted directory.
std::string subvolume_of(const DumpMount& mount) {
  const std::size_t at = value_at(mount.options, "subvol=");
  if (at == std::string_view::npos) return mount.root;
  std::string_view value = std::string_view(mount.options).substr(at);
  for (;;) {
    const std::string path = (value.starts_with('/') ? "" : "/") + std::string(value);
    if (is_within(path, mount.root)) return path;
    const std::size_t comma = value.rfind(',');
    // Without /proc only fstab tells of a mount, and says nothing of its root.
    if (comma == std::string_view::npos) return mount.root == "/" ? path : mount.root;
    value = value.substr(0, comma);
  }
}

Result<MountedPart> part_of_btrfs(const DumpMount& mount) {
  const std::string subvolume = subvolume_of(mount);
  MountedPart part{.options = "subvol=" + subvolume, .directory = "/"};
  if (subvolume == "/") {
    part.directory = mount.root;
  } else if (mount.root.size() > subvolume.size() && is_within(subvolume, mount.root)) {
    part.directory = mount.root.substr(subvolume.size());
  }
  // mount(2) takes a comma for the end of an option, and knows no way to write one.
  if (subvolume.find(',') == std::string::npos) return part;
  const std::string_view before = mount.options;  // the name itself may look like an option
  const std::string_view id = value_of(before.substr(0, before.find(",subvol=")), "subvolid=");
  if (id.empty() || id.find_first_not_of("0123456789") != std::string_view::npos) {
    return fail(ErrorKind::kTargetNotSupported,
                "the subvolume {} mounted at {} has a comma in its name, which mount(2) cannot "
                "take, and its number is not known; rename it",
                subvolume, mount.mount_point);
  }
  part.options = fmt::format("subvolid={}", id);
  return part;
}

}  // namespace

Result<MountedPart> mounted_part(const DumpMount& mount) {
  if (mount.fs_type == "btrfs") return part_of_btrfs(mount);
  // Options that change where files are found or how vfat spells them; everything else (noatime,
  // quota, ro) is the running system's business and could only make a mount fail.
  const bool duplicate = mount.fs_type == "xfs" && has_word(mount.options, "nouuid");
  return MountedPart{.options = duplicate ? "nouuid" : "", .directory = mount.root};
}

std::string second_device(const DumpMount& mount) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kOptions = {
      {{"logdev=", "an external log on"},
       {"rtdev=", "a realtime device,"},
       {"journal_path=", "an external journal on"},
       {"journal_dev=", "an external journal on device"}}};
  for (const auto& [key, what] : kOptions) {
    const std::string_view device = value_of(mount.options, key);
    if (!device.empty()) return fmt::format("{} {}", what, device);
  }
  return mount.journal.empty() ? "" : "an external journal with UUID " + mount.journal;
}

}  // namespace kd
