// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "builder/base/result.h"

namespace kd {

// The file NAME of ../lib/kdump-mkinitrd, beside this program's directory: installed, or of a
// build.
Result<std::string> own_file(std::string_view name);

}  // namespace kd
