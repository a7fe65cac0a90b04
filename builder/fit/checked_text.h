// SPDX-License-Identifier: GPL-2.0-or-later
//
// What texts of files that keep measurements may be.
#pragma once

#include <algorithm>
#include <string_view>

namespace kd {

inline bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// One path component, as releases are.
inline bool is_release(std::string_view text) {
  const auto ok = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(".-+_~").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 64 && is_number(text.substr(0, 1)) &&
         std::ranges::all_of(text, ok);
}

// 2026-11-28
inline bool is_date(std::string_view text) {
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && is_number(text.substr(0, 4)) &&
         is_number(text.substr(5, 2)) && is_number(text.substr(8, 2));
}

inline bool is_profile(std::string_view text) { return text == "tuned" || text == "stock"; }

}  // namespace kd
