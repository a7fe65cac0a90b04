// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/base/result.h"

namespace modsel {

struct Edge {
  std::string user;
  std::string needed;  // is loaded before the user
  bool hard = false;
};

struct LoadOrder {
  std::vector<std::string> names;
  std::map<std::string, std::vector<std::string>> needs;  // the edges that were kept, sorted
  std::vector<std::string> warnings;                      // one for each loop that was cut
};

// Puts `names` in an order that keeps every hard edge, and every other edge that closes no loop
// with those before it. Where edges leave a choice, the order of `names` decides. Hard edges in a
// loop are an error: depmod makes none.
kd::Result<LoadOrder> load_order(const std::vector<std::string>& names,
                                 const std::vector<Edge>& edges);

}  // namespace modsel
