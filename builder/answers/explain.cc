// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"
#include "builder/base/json.h"

namespace kd {

Result<Outcome> explain(const std::string& path, const ImagePlan& plan, const Presentation& show) {
  KD_TRY(const std::vector<std::string> chain, why(plan, path));
  if (show.json) {
    return Outcome{0, json_text({{"result", "explained"}, {"path", path}, {"reasons", chain}})};
  }
  return Outcome{0, fmt::format("{}\n", fmt::join(chain, "\n  <- "))};
}

}  // namespace kd
