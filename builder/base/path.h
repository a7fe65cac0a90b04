// SPDX-License-Identifier: GPL-2.0-or-later
//
// Paths as text: nothing is looked up.
#pragma once

#include <string_view>

namespace kd {

// What follows the last '/'; the whole path without one.
constexpr std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// Whether an absolute path is `directory` itself or lies below it, by whole components.
constexpr bool is_within(std::string_view directory, std::string_view path) {
  return directory == "/" || (path.starts_with(directory) &&
                              (path.size() == directory.size() || path[directory.size()] == '/'));
}

}  // namespace kd
