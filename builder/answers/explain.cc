// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"

namespace kd {

Result<Outcome> explain(const std::string& path, const ImagePlan& plan) {
  KD_TRY(const std::vector<std::string> chain, why(plan, path));
  return Outcome{0, fmt::format("{}\n", fmt::join(chain, "\n  <- "))};
}

}  // namespace kd
