// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"
#include "builder/base/json.h"
#include "builder/report/verdict.h"

namespace kd {
namespace {

std::string as_json(const std::string& image, const Freshness& freshness) {
  Json json = {{"result", freshness.reasons.empty() ? "fresh" : "stale"},
               {"output", image},
               {"reasons", freshness.reasons}};
  if (const std::optional<Manifest>& manifest = freshness.manifest) {
    const std::uint64_t reservation = manifest->basis.reservation;
    json.update({{"kernel", manifest->kernel},
                 {"target", manifest->target},
                 {"variant", manifest->variant},
                 {"image_bytes", manifest->image_size},
                 {"fit", fit_json(manifest->needed, reservation)},
                 {"notes", manifest->decisions}});
  }
  return json_text(json);
}

}  // namespace

Outcome say_freshness(const std::string& image, const Freshness& freshness,
                      const Presentation& show) {
  const Reasons& reasons = freshness.reasons;
  const int code = reasons.empty() ? 0 : kExitStale;
  if (show.json) return {code, as_json(image, freshness)};
  if (show.quiet) return {code, ""};
  if (reasons.empty()) return {code, image + " is fresh\n"};
  return {code, fmt::format("{} is stale:\n  {}\n", image, fmt::join(reasons, "\n  "))};
}

Outcome not_built_again(const std::string& image, const Freshness& freshness,
                        const Presentation& show) {
  if (show.json) return {0, as_json(image, freshness)};
  return {0, show.quiet ? "" : image + " is fresh, not built again\n"};
}

}  // namespace kd
