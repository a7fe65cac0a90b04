// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/device_files.h"

#include <fcntl.h>

#include <algorithm>

namespace kd {

std::string device_node(std::string_view name) {
  std::string path(name);
  std::ranges::replace(path, '!', '/');
  return "/dev/" + path;
}

Fd open_block_device(const RootedReader& reader, std::string_view name) {
  const Result<std::string> path = reader.host_path(device_node(name));
  return path ? Fd(::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) : Fd();
}

std::string read_attribute(const FileReader& reader, const std::string& path) {
  std::string text = reader.read(path).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace kd
