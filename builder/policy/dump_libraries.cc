// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/dump_libraries.h"

#include <regex>

namespace kd {

std::vector<std::string> uncalled_libraries(const std::vector<std::string>& arguments) {
  static const std::regex known(
      "((-[cDEf]|--non-(cyclic|mmap)|--num-threads[ =]0"
      "|(-d ?|--(message-level|cyclic-buffer)[ =])[0-9,]+) )*");
  std::string text;
  for (const std::string& argument : arguments) text += argument + ' ';
  if (!std::regex_match(text, known)) return {};
  return {"libdw.so.1", "libelf.so.1", "liblzo2.so.2", "libsnappy.so.1", "libzstd.so.1"};
}

}  // namespace kd
