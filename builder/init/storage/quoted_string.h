// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string_view>

namespace kdinit {

// Takes the string at the front of `text`, which begins with the quote that ends it as well unless
// a backslash stands before; with its quotes, empty when it does not end.
inline std::string_view take_string(std::string_view& text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == text.front()) {
      const std::string_view taken = text.substr(0, i + 1);
      text.remove_prefix(i + 1);
      return taken;
    }
  }
  return {};
}

}  // namespace kdinit
