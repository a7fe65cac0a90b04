// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "builder/base/result.h"
#include "builder/facts/machine.h"

namespace kd {

// Whether a dump in the directory of `machine` is there after the next boot, whoever saves it: init
// of the image, or the real root that the capture kernel boots. kUsage for memory, for what cannot
// be written and for what systemd mounts after the dump: no other image would help there, so this
// is not kTargetNotSupported.
Result<void> check_lasting_target(const MachineFacts& machine);

}  // namespace kd
