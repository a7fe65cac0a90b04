// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/dump_libraries.h"

#include <algorithm>
#include <array>
#include <regex>
#include <string_view>
#include <utility>

namespace kd {

std::vector<std::string> uncalled_libraries(const std::vector<std::string>& arguments) {
  static const std::regex known(
      "((-[clpzDEf]|--non-(cyclic|mmap)"
      "|(-d ?|--(message-level|num-threads|cyclic-buffer)[ =])[0-9,]+) )*");
  std::string text;
  for (const std::string& argument : arguments) text += argument + ' ';
  if (!std::regex_match(text, known)) return {};

  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kCompressors = {
      {{"-l", "liblzo2.so.2"}, {"-p", "libsnappy.so.1"}, {"-z", "libzstd.so.1"}}};
  std::vector<std::string> libraries = {"libdw.so.1", "libelf.so.1"};
  for (const auto& [option, library] : kCompressors) {
    if (std::ranges::find(arguments, option) == arguments.end()) libraries.emplace_back(library);
  }
  return libraries;
}

}  // namespace kd
