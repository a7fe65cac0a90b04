// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace kd {

// The libraries, by their names in DT_NEEDED, that makedumpfile never calls when it reads
// /proc/vmcore with these arguments: debug information is for -x, --config and --eppic, and each
// compressor but zlib has an option (makedumpfile(8); dwarf_info.c and write_kdump_pages_cyclic()
// of makedumpfile 1.7). None when an argument is not known to do without. Pure.
std::vector<std::string> uncalled_libraries(const std::vector<std::string>& arguments);

}  // namespace kd
