// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace kd {

// What the dynamic loader is going to ask for (elf(5), ld.so(8)).
struct ElfNeeds {
  std::string interpreter;            // PT_INTERP, empty for libraries and static programs
  std::vector<std::string> needed;    // DT_NEEDED in file order
  std::vector<std::string> run_path;  // directories of DT_RUNPATH, else DT_RPATH; $ORIGIN kept
  int machine = 0;                    // e_machine
};

// Not an ELF file, or a damaged one: an error without the file's name.
Result<ElfNeeds> parse_elf(std::string_view file);

// Dynamic symbols, "NAME" or "NAME@VERSION".
struct ElfSymbols {
  std::set<std::string, std::less<>> defined;
  std::set<std::string, std::less<>> undefined;  // those that must be found when the program starts
};
Result<ElfSymbols> parse_elf_symbols(std::string_view file);

}  // namespace kd
