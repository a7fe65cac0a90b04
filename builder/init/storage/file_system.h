// SPDX-License-Identifier: GPL-2.0-or-later
//
// From the identity of a file system to a mount, the same way for the target and for the root.
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/storage/storage.h"
#include "builder/init/text.h"

namespace kdinit {

// Both say their progress as `step`, and return false with the reason in `error`.
bool find_devices(const FileSystem& wanted, const InitConfig& config, std::string_view step,
                  Storage& storage, Candidates& found, TextBuffer& error);
// Mounts the first device that can be mounted; `role` is what it is then called.
bool mount_first(const FileSystem& wanted, const Candidates& devices, std::string_view directory,
                 MountUse use, std::string_view step, std::string_view role, Storage& storage,
                 TextBuffer& error);

}  // namespace kdinit
