// SPDX-License-Identifier: GPL-2.0-or-later
//
// The files a program needs to run: itself, its dynamic loader and its libraries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"

namespace kd {

struct ProgramFile {
  std::string source;      // in the reader's root, links resolved
  std::string image_path;  // absolute; libraries all go to /lib, a default directory of ld.so(8)
  std::string reason;      // "saves the dump", "library of makedumpfile"
  std::string because;     // source of the file that asked for it, empty for the program
  bool operator==(const ProgramFile&) const = default;
};

// `name` is looked up in /usr/sbin, /usr/bin, /sbin and /bin. Libraries are searched as ld.so(8)
// does on a Debian system without its cache: the run path of the file that asks, then the
// multi-arch and the plain library directories. Sorted by image path. A library that is not found,
// or a script in place of a program, is an error that names both ends.
Result<std::vector<ProgramFile>> program_closure(const FileReader& reader, std::string_view name,
                                                 std::string_view reason);

}  // namespace kd
