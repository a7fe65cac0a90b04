// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "builder/base/result.h"
#include "builder/plan/variant.h"
#include "builder/programs/closure.h"
#include "modsel/select.h"

namespace kd {

struct PlanInput;

// Where a module or program lies in the image, absolute for programs.
std::string module_image_path(const modsel::Module& module, const Variant& variant);
std::string program_image_path(const ProgramFile& file, const Variant& variant);

// The text init reads (init_config.h). Read back with init's own parser before it is returned, so
// that what init would refuse is refused here.
[[nodiscard]] Result<std::string> init_config_text(const PlanInput& input);

}  // namespace kd
