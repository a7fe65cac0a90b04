// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/module_options.h"

#include "builder/init/linux_system.h"

namespace kdinit {
namespace {

// COMMAND_LINE_SIZE: 2048 on x86, 4096 on s390; no architecture of Debian has more.
constexpr std::size_t kMaxCommandLine = 4096;

// The next parameter with its quotes; empty at the end, and for quotes without an end.
std::string_view take_parameter(std::string_view& line) {
  std::size_t start = 0;
  while (start < line.size() && static_cast<unsigned char>(line[start]) <= ' ') ++start;
  std::size_t end = start;
  bool quoted = false;
  for (; end < line.size(); ++end) {
    if (line[end] == '"') quoted = !quoted;
    if (!quoted && static_cast<unsigned char>(line[end]) <= ' ') break;
  }
  const std::string_view parameter = line.substr(start, end - start);
  line.remove_prefix(end);
  return quoted ? std::string_view{} : parameter;
}

bool same_module(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i])) return false;
  }
  return true;
}

std::string_view module_name(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);  // npos + 1 == 0
  return path.substr(0, path.find(".ko"));
}

}  // namespace

void put_module_options(std::string_view command_line, std::string_view path, TextBuffer& options) {
  const std::string_view name = module_name(path);
  for (std::string_view word = take_parameter(command_line); !word.empty() && word != "--";
       word = take_parameter(command_line)) {
    const bool in_quotes = word.front() == '"';
    if (in_quotes) word.remove_prefix(1);
    const std::size_t dot = word.find('.');
    if (dot == std::string_view::npos || !same_module(word.substr(0, dot), name)) continue;
    const std::string_view option = word.substr(dot + 1);
    const std::size_t equals = option.find('=');
    const std::string_view parameter = option.substr(0, equals);
    // What libkmod takes for no option of a module.
    if (parameter.empty() || parameter.find_first_of(".\" \t\n") != std::string_view::npos)
      continue;
    if (!options.view().empty()) options.put(' ');
    if (in_quotes && equals != std::string_view::npos) {
      // The quote at the end is there already.
      options.put(parameter, "=\"", option.substr(equals + 1));
    } else {
      options.put(option);
    }
  }
}

int load_module(System& system, const ModuleLine& module, std::string_view command_line_file) {
  char line[kMaxCommandLine];
  Text<kMaxValueBytes + kMaxCommandLine> options(module.options);
  put_module_options(read_file(Path(command_line_file).c_str(), line, sizeof line), module.path,
                     options);
  return system.load_module(Path(module.path).c_str(), options.c_str());
}

}  // namespace kdinit
