// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "modsel/modprobe_conf.h"
#include "modsel/module_index.h"

namespace modsel {

// Opens the indexes of one kernel. `modules_dir` is the host path of /lib/modules/VERSION, made by
// depmod. Fails, naming the file and the depmod command to run, when an index is missing, empty,
// damaged, or lists nothing although the kernel's own modules.order does. Every path of the answers
// lies below `modules_dir`; a module that is listed elsewhere is an error once it is asked for.
// Nothing of /proc/cmdline (which libkmod opens all the same), /sys/module or the host's
// /etc/modprobe.d counts: `config` is all there is.
kd::Result<std::unique_ptr<ModuleIndex>> open_kmod_index(const std::string& modules_dir,
                                                         ModprobeConf config);

}  // namespace modsel
