// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "builder/base/result.h"

namespace modsel {

// Whether an index of depmod (modules.dep.bin and its like) can be given to libkmod, which maps
// these files, follows their offsets unchecked and recurses as deep as they say: one that was cut
// off, by a full disk or a killed depmod, or was tampered with would crash it. Every node is
// visited once, whatever the order they were written in: kmod up to 33 writes the root node last,
// kmod 34 first. `name` is for errors. True: there are entries; false: a complete index without
// any.
kd::Result<bool> check_index(std::string_view data, const std::string& name);

// The same for a file.
kd::Result<bool> check_index_file(const std::string& path);

// Enough for a file that libkmod opens, but in which nothing is looked up.
kd::Result<void> check_index_header(const std::string& path);

}  // namespace modsel
