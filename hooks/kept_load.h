// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the last successful load was made of, below /var/lib/kdump/loaded: the files themselves, not
// their names, because an image is replaced before it is known that the kernel takes the new one.
#pragma once

#include <string>
#include <vector>

#include "hooks/context.h"
#include "hooks/load.h"

namespace kd {

// `command` loaded `plan`. Links where the file system allows it, else copies.
Result<void> keep_load(const Context& context, const LoadPlan& plan,
                       const std::vector<std::string>& command);

// The command that loads what was kept.
Result<std::vector<std::string>> kept_command(const FileReader& reader);

// After an unload there is nothing to come back to.
void forget_load(const Context& context);

}  // namespace kd
