// SPDX-License-Identifier: GPL-2.0-or-later
//
// The kernel's log, out of its ring buffer (kernel/printk/printk_ringbuffer.c), laid out as
// VMCOREINFO says since Linux 5.10.
#pragma once

#include "hooks/verify/check.h"
#include "hooks/verify/vmcoreinfo.h"

namespace kd::verify {

// Reads every record; the detail is the first line of the panic, else the last line.
Check read_log(const Memory& memory, const Vmcoreinfo& info);

}  // namespace kd::verify
