// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <cerrno>
#include <string_view>

#include "builder/init/child.h"

namespace kdinit {

// Calls visit(name) for every entry but "." and "..", and closes the directory; returns 0 or an
// errno value. (Not unique_ptr: <memory> of libstdc++ does not compile with musl.)
template <typename Visit>
int for_each_entry(DIR* directory, Visit&& visit) {
  if (!directory) return errno;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") visit(entry->d_name);
  }
  ::closedir(directory);
  return 0;
}

template <typename Visit>
int for_each_entry(const char* path, Visit&& visit) {
  return for_each_entry(::opendir(path), visit);
}

// Deletes what is in the open directory, but nothing on another device than `device`. Goes down by
// file descriptors and without following links, so that none leads out. What cannot be deleted
// stays; returns 0 or the first errno value. ticker.tick() is called before each file.
int delete_contents(int directory, dev_t device, Ticker& ticker);
// The same, and then the directory `name` of `parent` itself.
int delete_tree(int parent, const char* name, dev_t device, Ticker& ticker);

}  // namespace kdinit
