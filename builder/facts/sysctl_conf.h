// SPDX-License-Identifier: GPL-2.0-or-later
//
// /etc/kdump/sysctl.conf: kernel settings of the capture kernel, in the format of sysctl.conf(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"
#include "builder/base/result.h"

namespace kd {

inline constexpr std::string_view kSysctlConfPath = "/etc/kdump/sysctl.conf";

// The file below /proc/sys that a key of sysctl.conf(5) names: where the first separator is a dot,
// dots and slashes are exchanged. The result is a key as well, of the same file.
std::string sysctl_path(std::string_view key);

// "PATH=VALUE" for each line "key = value", in their order, with sysctl_path(). A leading '-'
// (ignore errors) goes away: init ignores them all. What init cannot do - patterns, keys without a
// value, a way out of /proc/sys - is ErrorKind::kUsage with "FILE:LINE:".
Result<std::vector<std::string>> parse_sysctl_conf(std::string_view text,
                                                   std::string_view file_name);

// A missing file has no settings.
Result<std::vector<std::string>> read_sysctl_conf(const FileReader& reader,
                                                  std::string_view path = kSysctlConfPath);

}  // namespace kd
