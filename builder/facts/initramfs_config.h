// SPDX-License-Identifier: GPL-2.0-or-later
//
// A configuration directory in the form of initramfs-tools, as the -d option names one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"
#include "builder/facts/shell_assignments.h"

namespace kd {

struct ExtraModule {
  std::string name;
  std::string options;  // may be empty
  bool operator==(const ExtraModule&) const = default;
};

struct InitramfsConfig {
  std::vector<ExtraModule> modules;  // DIR/modules, in the order of the file
  std::string policy;                // MODULES=: most | dep | netboot | list; empty: not set
  std::string compress;              // COMPRESS=; empty: not set
  std::optional<int> level;          // COMPRESSLEVEL=
};

// One module with its options a line; '#' starts a comment line. Names become module names in the
// image, so one that is none is ErrorKind::kUsage with "FILE:LINE:".
Result<std::vector<ExtraModule>> parse_module_list(std::string_view text,
                                                   std::string_view file_name);

// DIR/modules, DIR/initramfs.conf, then DIR/conf.d/* by name, each overriding the one before. Every
// file may be missing; DIR may not. Of conf.d, directories and names that mkinitramfs(8) passes
// over
// ("x~", ".x", "x.dpkg-old") are none.
Result<InitramfsConfig> read_initramfs_config(const FileReader& reader, std::string_view directory);

}  // namespace kd
