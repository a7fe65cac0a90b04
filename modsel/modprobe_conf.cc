// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/modprobe_conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace modsel {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::array<std::string_view, 5> kDirectories = {"/etc/modprobe.d", "/run/modprobe.d",
                                                          "/usr/local/lib/modprobe.d",
                                                          "/usr/lib/modprobe.d", "/lib/modprobe.d"};

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

std::string_view trimmed(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  return line.substr(0, line.find_last_not_of(kBlanks) + 1);
}

// "pre: a b post: c". Words before the first keyword count for nothing, as in libkmod: cifs has
// such lines.
ModprobeConf::SoftDependencies softdep(std::string_view module, std::string_view rest) {
  ModprobeConf::SoftDependencies result{.pattern = normalise(module), .pre = {}, .post = {}};
  std::vector<std::string>* list = nullptr;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    if (word == "pre:") {
      list = &result.pre;
    } else if (word == "post:") {
      list = &result.post;
    } else if (list != nullptr) {
      list->push_back(normalise(word));
    }
  }
  return result;
}

ModprobeConf::WeakDependencies weakdep(std::string_view module, std::string_view rest) {
  ModprobeConf::WeakDependencies result{.pattern = normalise(module), .modules = {}};
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    result.modules.push_back(normalise(word));
  }
  return result;
}

// False when the line is no sentence of modprobe.d(5).
bool parse_line(std::string_view line, std::string_view place, ModprobeConf& conf) {
  const std::string_view command = next_word(line);
  const std::string_view subject = next_word(line);
  const std::string_view rest = trimmed(line);
  if (subject.empty()) return false;
  if (command == "blacklist") {
    conf.blacklist.insert(normalise(subject));
    return true;
  }
  if (rest.empty()) return false;
  if (command == "alias") {
    conf.aliases.push_back({normalise(subject), normalise(next_word(line))});
  } else if (command == "options") {
    std::string& options = conf.options[normalise(subject)];
    if (!options.empty()) options += ' ';
    options += rest;
  } else if (command == "softdep") {
    conf.softdeps.push_back(softdep(subject, rest));
  } else if (command == "weakdep") {
    conf.weakdeps.push_back(weakdep(subject, rest));
  } else if (command == "install" || command == "remove") {
    if (command == "install") {
      conf.commands.try_emplace(normalise(subject), fmt::format("{}: install", place));
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string normalise(std::string_view name) {
  std::string result(name);
  bool in_brackets = false;
  for (char& c : result) {
    if (c == '[') in_brackets = true;
    if (c == ']') in_brackets = false;
    if (c == '-' && !in_brackets) c = '_';
  }
  return result;
}

void parse_modprobe_conf(std::string_view text, std::string_view file, ModprobeConf& conf) {
  std::string joined;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\\') && !text.empty()) {
      joined += line.substr(0, line.size() - 1);
      continue;
    }
    joined += line;
    const std::string sentence = std::exchange(joined, {});
    line = trimmed(sentence);
    if (line.empty() || line.front() == '#') continue;
    const std::string place = fmt::format("{}:{}", file, number);
    if (!parse_line(line, place, conf)) {
      conf.warnings.push_back(
          fmt::format("{}: '{}' is no line of modprobe.d(5), ignoring it", place, line));
    }
  }
}

ModprobeConf read_modprobe_conf(const kd::FileReader& reader) {
  std::map<std::string, std::string> files;  // name to path
  for (const std::string_view directory : kDirectories) {
    for (const std::string& name : reader.list(directory).value_or(std::vector<std::string>{})) {
      if (name.ends_with(".conf")) files.try_emplace(name, fmt::format("{}/{}", directory, name));
    }
  }
  ModprobeConf conf;
  for (const auto& [name, path] : files) {
    if (const kd::Result<std::string> text = reader.read(path)) {
      parse_modprobe_conf(*text, path, conf);
    } else {
      conf.warnings.push_back(fmt::format("{}, ignoring it", text.error().message));
    }
  }
  return conf;
}

}  // namespace modsel
