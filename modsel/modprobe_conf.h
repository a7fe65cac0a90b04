// SPDX-License-Identifier: GPL-2.0-or-later
//
// modprobe.d(5) and the two files of depmod that share its grammar (modules.softdep and
// modules.weakdep). Read here rather than by libkmod, which mixes /proc/cmdline of the running
// kernel into its configuration and prints bad lines itself.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"

namespace modsel {

struct ModprobeConf {
  struct Alias {
    std::string pattern;  // fnmatch(3)
    std::string module;
  };
  struct SoftDependencies {
    std::string pattern;           // fnmatch(3) over module names
    std::vector<std::string> pre;  // names or aliases
    std::vector<std::string> post;
  };
  struct WeakDependencies {
    std::string pattern;
    std::vector<std::string> modules;
  };

  std::vector<Alias> aliases;
  std::set<std::string> blacklist;
  std::map<std::string, std::string> options;  // by module, joined by a blank in the order of files
  std::vector<SoftDependencies> softdeps;
  std::vector<WeakDependencies> weakdeps;
  std::map<std::string, std::string> commands;  // by module: "FILE:LINE: install", never run
  std::vector<std::string> warnings;            // "FILE:LINE: ...", one for each line ignored
};

// '-' becomes '_', except inside the brackets of a pattern.
std::string normalise(std::string_view name);

// Adds what `text` says; `file` is only for warnings.
void parse_modprobe_conf(std::string_view text, std::string_view file, ModprobeConf& conf);

// The *.conf files below the directories modprobe.d(5) lists, ordered by name. A name in an earlier
// directory hides the same name in a later one.
ModprobeConf read_modprobe_conf(const kd::FileReader& reader);

}  // namespace modsel
