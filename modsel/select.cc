// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/select.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "modsel/deny_list.h"
#include "modsel/hidden_dependencies.h"
#include "modsel/load_order.h"

namespace modsel {
namespace {

std::string same_name(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(names, [&](const std::string& one) { return same_name(one) == name; });
}

struct Why {
  std::string reason;
  std::string because;    // the module that pulls it in
  bool required = false;  // the deny list gives way
};

class ModuleClosure {
 public:
  ModuleClosure(const ModuleRequest& request, const ModuleIndex& index)
      : request_(request), index_(index) {}

  kd::Result<void> add_wanted(const Wanted& wanted);
  kd::Result<ModuleSet> finish();

 private:
  kd::Result<void> add_module(const std::string& name, const Why& why);
  kd::Result<bool> is_denied(const ModuleInfo& info, const Why& why);
  kd::Result<void> add_dependencies(const ModuleInfo& info);
  kd::Result<std::vector<std::string>> add_optional(const std::string& what, const Why& why);
  kd::Result<void> add_hidden(const std::string& name);
  kd::Result<std::vector<std::string>> providers(const std::string& what) const;

  const ModuleRequest& request_;
  const ModuleIndex& index_;
  std::map<std::string, Module> selected_;
  std::vector<std::string> found_;  // the selected in the order they were met, which breaks ties
  std::vector<Edge> edges_;
  std::map<std::string, std::string> denied_;  // name to reason
  std::set<std::string> builtin_;
  std::vector<std::string> warnings_;
};

// A modalias names hardware, and every driver it leads to may be the one. A plain alias is what
// kernel code gives to request_module(), and one provider answers it: "crypto-crc32c" means
// crc32c_generic and crc32c_intel. The generic one works on every CPU; the others only are faster,
// and fail to load on a CPU without their instructions.
kd::Result<std::vector<std::string>> ModuleClosure::providers(const std::string& what) const {
  KD_TRY(std::vector<std::string> names, index_.resolve(what));
  if (what.find(':') != std::string::npos) return names;
  // From Linux 7.0 on some of them have the name of the algorithm alone.
  const auto generic = std::ranges::find_if(names, [&what](const std::string& name) {
    return name.ends_with("_generic") || what == fmt::format("crypto-{}", name);
  });
  if (generic != names.end()) return std::vector<std::string>{*generic};
  return names;
}

kd::Result<void> ModuleClosure::add_wanted(const Wanted& wanted) {
  KD_TRY(std::vector<std::string> names, providers(wanted.what));
  if (names.empty() && !wanted.otherwise.empty()) {
    KD_TRY(names, providers(wanted.otherwise));
  }
  if (names.empty() && wanted.required) {
    return kd::fail(
        kd::ErrorKind::kFailed,
        "{}: this kernel has no module '{}'{}; is its package complete, is depmod done, "
        "and does no blacklist hide it?",
        wanted.reason, wanted.what,
        wanted.otherwise.empty() ? "" : fmt::format(" and none for '{}'", wanted.otherwise));
  }
  // Of several drivers for one device some may be denied, as long as one is left.
  const Why why{
      .reason = wanted.reason, .because = {}, .required = wanted.required && names.size() == 1};
  for (const std::string& name : names) {
    KD_CHECK(add_module(name, why));
    if (wanted.options.empty()) continue;
    if (const auto found = selected_.find(name); found != selected_.end()) {
      std::string& options = found->second.options;
      options += (options.empty() ? "" : " ") + wanted.options;
    }
  }
  const bool all_denied = std::ranges::all_of(names, [this](const std::string& name) {
    return !selected_.contains(name) && !builtin_.contains(name);
  });
  if (wanted.required && all_denied) {
    return kd::fail(kd::ErrorKind::kFailed,
                    "{}: the capture kernel loads no module for '{}': {} ({})", wanted.reason,
                    wanted.what, fmt::join(names, ", "), denied_.at(names.front()));
  }
  return {};
}

// What is required beats the deny list: a dump with a driver that should not be there is better
// than none. What the kernel refuses cannot be there.
kd::Result<bool> ModuleClosure::is_denied(const ModuleInfo& info, const Why& why) {
  if (request_.refused.contains(info.name)) {
    constexpr std::string_view kRefused =
        "module_blacklist= on the command line of the capture kernel names it";
    if (why.required) {
      return kd::fail(kd::ErrorKind::kFailed,
                      "{}: {} would not be loaded; {}. Take it from there, or set KDUMP_CMDLINE",
                      why.reason, info.name, kRefused);
    }
    denied_.emplace(info.name, kRefused);
    return true;
  }
  const std::string_view reason = deny_reason(info.name, info.path);
  if (reason.empty()) return false;
  if (!why.required) {
    denied_.emplace(info.name, reason);
    return true;
  }
  warnings_.push_back(fmt::format("module {} ({}) is taken in although it is on the deny list: {}",
                                  info.name, why.reason, reason));
  return false;
}

kd::Result<void> ModuleClosure::add_module(const std::string& name, const Why& why) {
  if (selected_.contains(name) || builtin_.contains(name)) return {};
  KD_TRY(ModuleInfo info, index_.info(name));
  if (info.builtin) {
    builtin_.insert(name);
    return add_hidden(name);
  }
  KD_TRY(const bool denied, is_denied(info, why));
  if (denied) return {};
  denied_.erase(name);
  selected_.emplace(name, Module{.name = name,
                                 .path = info.path,
                                 .options = info.options,
                                 .needs = {},
                                 .firmware = info.firmware,
                                 .reason = why.reason,
                                 .because = why.because});
  found_.push_back(name);
  warnings_.insert(warnings_.end(), info.warnings.begin(), info.warnings.end());
  return add_dependencies(info);
}

kd::Result<void> ModuleClosure::add_dependencies(const ModuleInfo& info) {
  for (const std::string& dependency : info.depends) {
    const Why why{.reason = "needed by " + info.name, .because = info.name, .required = true};
    if (auto added = add_module(dependency, why); !added) {
      return kd::in_context(fmt::format("module {} needs {}", info.name, dependency),
                            std::move(added).error());
    }
    edges_.push_back({.user = info.name, .needed = dependency, .hard = true});
  }
  const Why soft{.reason = "softdep of " + info.name, .because = info.name};
  for (const std::string& what : info.soft_pre) {
    if (is_needless_softdep(info.name, what)) continue;
    KD_TRY(const std::vector<std::string> names, add_optional(what, soft));
    for (const std::string& name : names) edges_.push_back({info.name, name});
  }
  const Why weak{.reason = "weakdep of " + info.name, .because = info.name};
  for (const std::string& what : info.weak) {
    KD_TRY(const std::vector<std::string> names, add_optional(what, weak));
    for (const std::string& name : names) edges_.push_back({info.name, name});
  }
  KD_CHECK(add_hidden(info.name));
  for (const std::string& what : info.soft_post) {
    KD_TRY(const std::vector<std::string> names, add_optional(what, soft));
    for (const std::string& name : names) edges_.push_back({name, info.name});
  }
  return {};
}

// The modules `what` led to; nothing is no error.
kd::Result<std::vector<std::string>> ModuleClosure::add_optional(const std::string& what,
                                                                 const Why& why) {
  KD_TRY(std::vector<std::string> names, providers(what));
  for (const std::string& name : names) KD_CHECK(add_module(name, why));
  return names;
}

kd::Result<void> ModuleClosure::add_hidden(const std::string& name) {
  for (const HiddenDependency& hidden : hidden_dependencies()) {
    if (hidden.if_module != name) continue;
    if (hidden.when == When::kLoaded && !contains(request_.loaded, hidden.adds)) continue;
    const bool user_selected = selected_.contains(name);
    KD_TRY(const std::vector<std::string> names,
           add_optional(std::string(hidden.adds),
                        {.reason = fmt::format("hidden dependency of {}: {}", name, hidden.why),
                         .because = user_selected ? name : ""}));
    for (const std::string& added : names) edges_.push_back({name, added});
  }
  return {};
}

kd::Result<ModuleSet> ModuleClosure::finish() {
  ModuleSet result;
  result.warnings = std::move(warnings_);
  // Edges to builtin and denied modules order nothing.
  std::erase_if(edges_, [this](const Edge& edge) {
    return !selected_.contains(edge.user) || !selected_.contains(edge.needed);
  });
  KD_TRY(LoadOrder order, load_order(found_, edges_));
  for (const std::string& name : order.names) {
    Module& module = selected_.at(name);
    module.needs = std::move(order.needs[name]);
    result.load_order.push_back(std::move(module));
  }
  result.warnings.insert(result.warnings.end(), order.warnings.begin(), order.warnings.end());
  for (const auto& [name, reason] : denied_) result.denied.push_back({name, reason});
  return result;
}

}  // namespace

kd::Result<ModuleSet> select(const ModuleRequest& request, const ModuleIndex& index) {
  ModuleClosure closure(request, index);
  for (const Wanted& wanted : request.wanted) KD_CHECK(closure.add_wanted(wanted));
  return closure.finish();
}

}  // namespace modsel
