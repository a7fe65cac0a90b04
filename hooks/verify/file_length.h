// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether a file is as long as it says. libkdumpfile takes zeros for what lies behind the end: a
// page that was stored as it is would come out of a dump that was cut off.
#pragma once

#include "hooks/verify/check.h"

namespace kd::verify {

// Walks the page descriptors of a dump of makedumpfile, or the segments of an ELF dump, and misses
// what ends behind the end of the file, and what makedumpfile marked as incomplete. Other formats
// are left alone.
void check_length(int fd, std::uint64_t size, Check& check);

}  // namespace kd::verify
