// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"
#include "builder/base/json.h"

namespace kd {

Outcome failed(int exit_code, const std::string& message, const Presentation& show) {
  if (!show.json) return {exit_code, ""};
  return {exit_code,
          json_text({{"result", "failed"}, {"exit_code", exit_code}, {"message", message}})};
}

}  // namespace kd
