// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "builder/base/rooted_reader.h"
#include "builder/facts/machine.h"
#include "builder/facts/machine_json.h"

namespace kd {

// Reads proc, sys and etc below the reader's root: the machine as it is mounted there. The dump
// directory may not exist yet; then the mount of its nearest existing parent counts. UUIDs come
// from libblkid on the device node, else from /dev/disk/by-uuid and fstab, else stay empty.
// Without proc, fstab says what is mounted; without both it is an error. What the machine does not
// tell (no sysfs, no root rights) stays empty: facts are not judged here.
Result<MachineFacts> gather_machine(const RootedReader& reader, const std::string& dump_directory);

}  // namespace kd
