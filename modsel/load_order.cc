// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/load_order.h"

#include <algorithm>
#include <set>

namespace modsel {
namespace {

using Needs = std::map<std::string, std::set<std::string>>;

// Whether `from` needs `to`, over any number of modules.
bool reaches(const Needs& needs, const std::string& from, const std::string& to) {
  std::set<std::string> seen;
  std::vector<std::string> open{from};
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    if (name == to) return true;
    if (!seen.insert(name).second) continue;
    if (const auto found = needs.find(name); found != needs.end()) {
      open.insert(open.end(), found->second.begin(), found->second.end());
    }
  }
  return false;
}

void place(const std::string& name, const Needs& needs, std::set<std::string>& placed,
           std::vector<std::string>& order) {
  if (!placed.insert(name).second) return;
  if (const auto found = needs.find(name); found != needs.end()) {
    for (const std::string& needed : found->second) place(needed, needs, placed, order);
  }
  order.push_back(name);
}

}  // namespace

kd::Result<LoadOrder> load_order(const std::vector<std::string>& names,
                                 const std::vector<Edge>& edges) {
  LoadOrder result;
  Needs needs;
  for (const bool hard : {true, false}) {
    for (const Edge& edge : edges) {
      if (edge.hard != hard || edge.user == edge.needed) continue;
      if (!reaches(needs, edge.needed, edge.user)) {
        needs[edge.user].insert(edge.needed);
      } else if (hard) {
        return kd::fail(kd::ErrorKind::kFailed,
                        "modules {} and {} need each other; run depmod for this kernel", edge.user,
                        edge.needed);
      } else {
        result.warnings.push_back(
            fmt::format("{} is not loaded before {}: {} needs {} itself (soft dependency loop)",
                        edge.needed, edge.user, edge.needed, edge.user));
      }
    }
  }
  std::set<std::string> placed;
  for (const std::string& name : names) place(name, needs, placed, result.names);
  for (const auto& [name, needed] : needs) result.needs[name].assign(needed.begin(), needed.end());
  return result;
}

}  // namespace modsel
