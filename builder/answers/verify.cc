// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"
#include "builder/base/json.h"

namespace kd {

Result<Outcome> verify(const std::string& image, const Roots& roots, const Candidate& candidate,
                       const Presentation& show) {
  KD_TRY(const std::string bytes, read_host_file(roots, image));
  KD_CHECK(verify_image(bytes, candidate.plan, candidate.entries));
  if (show.json) {
    return Outcome{0, json_text({{"result", "verified"},
                                 {"output", image},
                                 {"variant", candidate.plan.variant.name},
                                 {"image_bytes", bytes.size()},
                                 {"entries", candidate.entries.size()}})};
  }
  return Outcome{0, show.quiet ? "" : image + " holds what it should\n"};
}

}  // namespace kd
