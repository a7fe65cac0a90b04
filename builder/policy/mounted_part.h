// SPDX-License-Identifier: GPL-2.0-or-later
//
// How init mounts the file system that a mount of the running system shows.
#pragma once

#include <string>
#include <string_view>

#include "builder/base/result.h"
#include "builder/facts/machine.h"

namespace kd {

struct MountedPart {
  std::string options;    // for mount(2), may be empty
  std::string directory;  // what the mount shows of the file system mounted so; "/" for all of it
};

// A mount of a btrfs shows a directory of a subvolume, a bind mount that of any file system. Fails
// for a subvolume that cannot be named to mount(2).
[[nodiscard]] Result<MountedPart> mounted_part(const DumpMount& mount);

// The device a file system needs besides its own, for a message ("an external log on /dev/sdb1");
// empty for none.
[[nodiscard]] std::string second_device(const DumpMount& mount);

}  // namespace kd
