// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"

namespace kd {

Outcome say_freshness(const std::string& image, const Reasons& reasons, const Presentation& show) {
  const bool fresh = reasons.empty();
  return {fresh ? 0 : kExitStale,
          show.quiet ? ""
          : fresh    ? image + " is fresh\n"
                     : fmt::format("{} is stale:\n  {}\n", image, fmt::join(reasons, "\n  "))};
}

Outcome not_built_again(const std::string& image, const Presentation& show) {
  return {0, show.quiet ? "" : image + " is fresh, not built again\n"};
}

}  // namespace kd
