// SPDX-License-Identifier: GPL-2.0-or-later
//
// Small files of proc and etc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kd {

// Bytes of RAM: the "System RAM" lines of /proc/iomem; without root rights all its addresses are 0,
// then MemTotal of /proc/meminfo, which lacks what the kernel itself takes. 0 when neither tells.
std::uint64_t parse_ram(std::string_view iomem, std::string_view meminfo);

// The names in /proc/modules, sorted.
std::vector<std::string> parse_loaded_modules(std::string_view proc_modules);

// The bytes that the modules in /proc/modules take.
std::uint64_t parse_module_bytes(std::string_view proc_modules);

// The POSIX TZ string at the end of a TZif file (RFC 8536, version 2 and later), "UTC0" when there
// is none.
std::string parse_time_zone(std::string_view tzif);

}  // namespace kd
