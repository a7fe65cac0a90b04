// SPDX-License-Identifier: GPL-2.0-or-later
//
// The files in which a machine shows its devices.
#pragma once

#include <string>
#include <string_view>

#include "builder/base/fd.h"
#include "builder/base/rooted_reader.h"

namespace kd {

// "/dev/cciss/c0d0" of "cciss!c0d0", as /sys calls it.
std::string device_node(std::string_view name);

// The block device of that name, to read from; not valid when there is none or it may not be read.
Fd open_block_device(const RootedReader& reader, std::string_view name);

// An attribute in /sys without its line end; empty when there is none.
std::string read_attribute(const FileReader& reader, const std::string& path);

}  // namespace kd
