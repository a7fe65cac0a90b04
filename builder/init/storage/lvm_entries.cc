// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/lvm_entries.h"

#include <algorithm>
#include <charconv>

#include "builder/init/storage/quoted_string.h"

namespace kdinit::lvm {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void skip_blanks(std::string_view& text) {
  while (!text.empty()) {
    if (text.front() == '#') {
      text.remove_prefix(std::min(text.find('\n'), text.size()));
    } else if (is_blank(text.front())) {
      text.remove_prefix(1);
    } else {
      return;
    }
  }
}

// From the bracket at the front to the one that closes it, brackets included.
std::string_view take_brackets(std::string_view& text) {
  const std::string_view start = text;
  const char open = text.front(), close = open == '{' ? '}' : ']';
  std::size_t depth = 0;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '"' || c == '\'') {
      if (take_string(text).empty()) return {};
      continue;
    }
    if (c == '#') {
      skip_blanks(text);
      continue;
    }
    text.remove_prefix(1);
    if (c == open) ++depth;
    if (c == close && --depth == 0) return start.substr(0, start.size() - text.size());
  }
  return {};
}

std::string_view take_word(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && !is_blank(text[end]) &&
         std::string_view("={}[]#,\"").find(text[end]) == std::string_view::npos) {
    ++end;
  }
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

std::string_view take_value(std::string_view& text) {
  skip_blanks(text);
  if (text.empty()) return {};
  const char c = text.front();
  if (c == '"' || c == '\'') return take_string(text);
  if (c == '[') return take_brackets(text);
  return take_word(text);
}

}  // namespace

bool Entries::next(Entry& entry) {
  skip_blanks(rest_);
  if (rest_.empty()) return false;
  entry = {};
  entry.key = take_word(rest_);
  skip_blanks(rest_);
  if (entry.key.empty() || rest_.empty()) return stop();
  if (rest_.front() == '=') {
    rest_.remove_prefix(1);
    entry.value = take_value(rest_);
    return !entry.value.empty() || stop();
  }
  if (rest_.front() != '{') return stop();
  entry.section = take_brackets(rest_);
  if (entry.section.empty()) return stop();
  entry.section = entry.section.substr(1, entry.section.size() - 2);
  entry.is_section = true;
  return true;
}

bool Entries::stop() {
  damaged_ = true;
  rest_ = {};
  return false;
}

bool Elements::next(std::string_view& element) {
  skip_blanks(rest_);
  if (!rest_.empty() && rest_.front() == ',') rest_.remove_prefix(1);
  element = take_value(rest_);
  return !element.empty();
}

Entry find(std::string_view section, std::string_view key) {
  Entries entries(section);
  Entry entry;
  while (entries.next(entry)) {
    if (entry.key == key) return entry;
  }
  return {};
}

std::string_view unquoted(std::string_view value) {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2)
                                                   : std::string_view();
}

std::string_view find_string(std::string_view section, std::string_view key) {
  return unquoted(find(section, key).value);
}

bool to_number(std::string_view value, std::uint64_t max, std::uint64_t& number) {
  const char* end = value.data() + value.size();
  std::uint64_t read = 0;
  const auto [stop, error] = std::from_chars(value.data(), end, read);
  if (error != std::errc{} || stop != end || read > max) return false;
  number = read;
  return true;
}

bool find_number(std::string_view section, std::string_view key, std::uint64_t max,
                 std::uint64_t& number) {
  return to_number(find(section, key).value, max, number);
}

bool has_flag(std::string_view section, std::string_view flag) {
  for (const std::string_view key : {"status", "flags"}) {
    Elements flags(find(section, key).value);
    for (std::string_view element; flags.next(element);) {
      if (unquoted(element) == flag) return true;
    }
  }
  return false;
}

std::string_view unknown_flag(std::string_view section, std::span<const std::string_view> known) {
  for (const std::string_view key : {"status", "flags"}) {
    Elements flags(find(section, key).value);
    for (std::string_view element; flags.next(element);) {
      const std::string_view flag = unquoted(element);
      if (std::find(known.begin(), known.end(), flag) == known.end()) return flag;
    }
  }
  return {};
}

std::string_view unknown_key(std::string_view section, std::span<const std::string_view> known) {
  Entries entries(section);
  Entry entry;
  while (entries.next(entry)) {
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) return entry.key;
  }
  return {};
}

}  // namespace kdinit::lvm
