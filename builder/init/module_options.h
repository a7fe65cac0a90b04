// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/system.h"
#include "builder/init/text.h"

namespace kdinit {

// The kernel gives "MODULE.PARAMETER[=VALUE]" of its command line to what is built in; modprobe(8)
// gives it to a module. Appends it to `options` for the module file `path` as libkmod does: '-' and
// '_' in MODULE are the same, a quoted value keeps its quotes, "MODULE.PARAMETER=a b" in quotes
// gets them around the value. Nothing behind " -- " counts: that is for init.
void put_module_options(std::string_view command_line, std::string_view path, TextBuffer& options);

// Loads it with its options of modprobe.d(5), then those of the command line this kernel was
// started with, which need not be the one that was known when the image was built. 0 or an errno
// value.
int load_module(System& system, const ModuleLine& module, std::string_view command_line_file);

}  // namespace kdinit
