// SPDX-License-Identifier: GPL-2.0-or-later
//
// The syntax of LVM2's metadata: "KEY = VALUE" and "KEY { ... }", with comments after '#'. Names
// and values are parts of the text.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kdinit::lvm {

struct Entry {
  std::string_view key;
  std::string_view value;    // as it stands, with quotes or brackets
  std::string_view section;  // what is between the braces
  bool is_section = false;
};

// The entries of a section one after the other, without those inside of them.
class Entries {
 public:
  explicit Entries(std::string_view section) : rest_(section) {}
  bool next(Entry& entry);
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  bool stop();
  std::string_view rest_;
  bool damaged_ = false;
};

// The elements of "[ a, b ]".
class Elements {
 public:
  explicit Elements(std::string_view array) {
    if (array.size() >= 2 && array.front() == '[') rest_ = array.substr(1, array.size() - 2);
  }
  bool next(std::string_view& element);

 private:
  std::string_view rest_;
};

// As lvm: of a key that is there twice the first one counts.
Entry find(std::string_view section, std::string_view key);

// What is between the quotes; empty for a value without.
std::string_view unquoted(std::string_view value);
std::string_view find_string(std::string_view section, std::string_view key);

// Leaves `number` alone when `value` is none.
bool to_number(std::string_view value, std::uint64_t max, std::uint64_t& number);
bool find_number(std::string_view section, std::string_view key, std::uint64_t max,
                 std::uint64_t& number);

// Flags are the elements of "status" and "flags".
bool has_flag(std::string_view section, std::string_view flag);
// The first one that is not among the `known`; empty when all are.
std::string_view unknown_flag(std::string_view section, std::span<const std::string_view> known);

// The first entry that is not among the `known`; empty when all are.
std::string_view unknown_key(std::string_view section, std::span<const std::string_view> known);

}  // namespace kdinit::lvm
