// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "builder/base/file_reader.h"

namespace kd {

// The version of the makedumpfile in the reader's root, "1.7.2": from the text that "makedumpfile
// -v" prints, which lies in the file itself. Nothing is run, so it works for a foreign tree too.
// Empty when there is no such program or it holds no such text, as a script in its place.
std::string makedumpfile_version(const FileReader& reader);

}  // namespace kd
