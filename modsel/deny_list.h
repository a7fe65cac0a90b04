// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

namespace modsel {

// Why a capture kernel does not load this module; empty when it may. `path` is the module's file,
// `name` its normalised name.
std::string_view deny_reason(std::string_view name, std::string_view path);

}  // namespace modsel
