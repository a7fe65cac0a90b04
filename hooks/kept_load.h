// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the last successful load was made of, below /var/lib/kdump/loaded: the files themselves, not
// their names, because an image is replaced before it is known that the kernel takes the new one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hooks/context.h"
#include "hooks/load.h"

namespace kd {

// `command` loaded `plan` under the kernel `running`. Links where the file system allows it, else
// copies.
Result<void> keep_load(const Context& context, const LoadPlan& plan,
                       const std::vector<std::string>& command, std::string_view running);

// The command that loads what was kept under the same kernel, in this boot or an earlier one: what
// the image leaves out of a dump was chosen for that kernel.
Result<std::vector<std::string>> kept_command(const FileReader& reader, std::string_view running);

// After an unload there is nothing to come back to.
void forget_load(const Context& context);

}  // namespace kd
