// SPDX-License-Identifier: GPL-2.0-or-later
//
// proc_pid_mountinfo(5) and fstab(5) as plain data. libmount appears in mount_table.cc only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace kd {

struct MountEntry {
  int id = 0, parent = 0;  // mountinfo only
  std::string number;      // "MAJOR:MINOR" of st_dev; "0:N" for file systems without a device
  std::string root;        // the part of the file system that is mounted
  std::string mount_point;
  std::string fs_type;
  std::string source;   // fstab: may be "UUID=..."
  std::string options;  // of the mount, then of the file system
};

// Lines that cannot be read are left out, as mount(8) does.
Result<std::vector<MountEntry>> parse_mountinfo(std::string_view text);
Result<std::vector<MountEntry>> parse_fstab(std::string_view text);

// The mount an access to `path` (absolute, links resolved) ends in, nullptr when there is none.
// Mounts that a later one hides are not found.
const MountEntry* find_mount(const std::vector<MountEntry>& mountinfo, std::string_view path);

// The entry of the longest mount point that holds `path`, nullptr when there is none.
const MountEntry* find_fstab_entry(const std::vector<MountEntry>& fstab, std::string_view path);

}  // namespace kd
