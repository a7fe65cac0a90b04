// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "modsel/module_index.h"

namespace modsel {

// A kernel as a table. Records which modules were asked for.
class FakeIndex final : public ModuleIndex {
 public:
  ModuleInfo& add(const std::string& name, std::vector<std::string> depends = {},
                  const std::string& directory = "kernel/drivers/block") {
    ModuleInfo& info = modules[name];
    info.name = name;
    info.path = "/lib/modules/6.1/" + directory + "/" + name + ".ko";
    info.depends = std::move(depends);
    return info;
  }
  void add_builtin(const std::string& name) {
    modules[name].name = name;
    modules[name].builtin = true;
  }

  kd::Result<std::vector<std::string>> resolve(std::string_view what) const override {
    const std::string name(what);
    if (const auto found = aliases.find(name); found != aliases.end()) return found->second;
    if (modules.contains(name)) return std::vector<std::string>{name};
    return std::vector<std::string>{};
  }
  kd::Result<ModuleInfo> info(std::string_view name) const override {
    asked.insert(std::string(name));
    if (const auto found = modules.find(std::string(name)); found != modules.end()) {
      return found->second;
    }
    return kd::fail(kd::ErrorKind::kKernelNotFound, "no module {}", name);
  }

  std::map<std::string, ModuleInfo> modules;
  std::map<std::string, std::vector<std::string>> aliases;
  mutable std::set<std::string> asked;
};

inline Wanted want(const std::string& what, bool required = true) {
  return {.what = what,
          .otherwise = {},
          .options = {},
          .reason = "test of " + what,
          .required = required};
}

inline std::vector<std::string> names_of(const ModuleSet& set) {
  std::vector<std::string> names;
  for (const Module& module : set.load_order) names.push_back(module.name);
  return names;
}

}  // namespace modsel
