// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace kd {

// The libraries, by their names in DT_NEEDED, that makedumpfile makes no use of when it reads
// /proc/vmcore with these arguments. Debug information is for -x, --config and --eppic; of the
// compressors only zlib is used without -l, -p and -z, but libzstd is also asked for a context by
// each thread of --num-threads (makedumpfile 1.7.2 to 1.7.9: dwarf_info.c, initial_for_parallel()
// and write_kdump_pages_cyclic() of makedumpfile.c). All or none, and none when an argument is not
// known: a stand-in for one compressor must never answer for another. Pure.
std::vector<std::string> uncalled_libraries(const std::vector<std::string>& arguments);

}  // namespace kd
