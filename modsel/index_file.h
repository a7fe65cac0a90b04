// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "builder/base/result.h"

namespace modsel {

// Whether depmod finished writing an index (modules.dep.bin and its like). libkmod maps these files
// and follows their offsets unchecked, so one that was cut off, by a full disk or a killed depmod,
// would crash it. True: there are entries; false: a complete index without any.
kd::Result<bool> check_index_file(const std::string& path);

}  // namespace modsel
