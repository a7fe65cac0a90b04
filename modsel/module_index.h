// SPDX-License-Identifier: GPL-2.0-or-later
//
// What module selection asks of one kernel's module directory. libkmod stands behind it in
// kmod_index.cc and nowhere else; tests use a table in memory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace modsel {

struct ModuleInfo {
  std::string name;  // normalised: '-' is '_'
  std::string path;  // on the host; empty when builtin
  bool builtin = false;
  std::vector<std::string> depends;   // hard dependencies, nearest last (load order)
  std::vector<std::string> soft_pre;  // names or aliases, may not exist
  std::vector<std::string> soft_post;
  std::vector<std::string> weak;      // modules.weakdep (depmod of kmod 33 and later)
  std::vector<std::string> firmware;  // names below /lib/firmware, may be patterns
  std::string options;                // from modprobe.d, joined as modprobe does
  std::vector<std::string> warnings;  // e.g. an install command of modprobe.d that is not run
};

class ModuleIndex {
 public:
  virtual ~ModuleIndex() = default;

  // Every module a name, alias or modalias stands for, builtin ones included, after modprobe.d
  // aliases and, for aliases (not for names), `blacklist`, as modprobe(8) does. Empty when there
  // is none.
  [[nodiscard]] virtual kd::Result<std::vector<std::string>> resolve(
      std::string_view what) const = 0;
  // Facts of one module by name. A module that is neither a file nor builtin is an error that
  // names it and, through the caller, who needs it.
  [[nodiscard]] virtual kd::Result<ModuleInfo> info(std::string_view name) const = 0;
};

}  // namespace modsel
