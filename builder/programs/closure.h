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
  std::string source;      // in the reader's root, links resolved; of a stand-in: on the host
  std::string image_path;  // absolute; libraries all go to /lib, a default directory of ld.so(8)
  std::string reason;      // "saves the dump", "library of makedumpfile"
  std::string because;     // source of the file that asked for it, empty for the program
  bool stand_in = false;   // takes the place of a library that is not called
  bool operator==(const ProgramFile&) const = default;
};

// A library for the places of others that a run of the program does not call (stand_in.cc).
struct StandIn {
  std::string source;                  // on the host
  std::string content;                 // of it
  std::vector<std::string> libraries;  // their names in DT_NEEDED
};

// `name` is looked up by find_program(). Libraries are searched as ld.so(8) does on a Debian system
// without its cache: the run path of the file that asks, then the multi-arch and the plain library
// directories. Sorted by image path. A library that is not found, or a script in place of a
// program, is an error that names both ends.
//
// `stand_in` replaces those of its libraries that the program itself needs, and with them what only
// they need: all of them, or none when it lacks a symbol that the program takes from one, with its
// version, or when a library that stays needs one.
Result<std::vector<ProgramFile>> program_closure(const FileReader& reader, std::string_view name,
                                                 std::string_view reason,
                                                 const StandIn& stand_in = {});

}  // namespace kd
