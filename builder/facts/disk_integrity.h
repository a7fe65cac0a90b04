// SPDX-License-Identifier: GPL-2.0-or-later
//
// Integrity metadata of disks (T10 PI), which the block layer makes and checks for each request.
#pragma once

#include <string>

#include "builder/base/file_reader.h"

namespace kd {

inline constexpr const char* kNoIntegrity = "none";

// kNoIntegrity when every disk in /sys/block says so, else the first other format
// ("T10-DIF-TYPE1-CRC"); empty when one says nothing, or there is none
// (block/blk-integrity.c, format_show()).
std::string read_disk_integrity(const FileReader& reader);

}  // namespace kd
