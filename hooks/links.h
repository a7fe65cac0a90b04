// SPDX-License-Identifier: GPL-2.0-or-later
//
// The links /var/lib/kdump/{vmlinuz,initrd.img}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/rooted_reader.h"

namespace kd {

// What stands at the path of a link.
struct Link {
  enum class Kind { kNothing, kSymlink, kFile, kDirectory };
  Kind kind = Kind::kNothing;
  std::string text;    // of the link, as it is written there
  std::string target;  // where it leads, absolute in the root; empty: nowhere
};
Link read_link(const RootedReader& reader, std::string_view path);

enum class LinkState { kRight, kMissing, kBroken, kWrong, kInTheWay };

// Pure. `right` are the targets that are wanted, links resolved; the first is the one a new link
// gets. A link to another of them was somebody's choice and stays.
LinkState judge_link(const Link& link, const std::vector<std::string>& right);

// For a sentence "PATH ...": "points to /boot/vmlinuz-5, not to /boot/vmlinuz-6".
std::string explain_link(LinkState state, const Link& link, std::string_view wanted);

// Makes `path` a link to `target` in one rename: there is no moment without a link. Must not be
// called for kInTheWay; the caller holds the lock.
Result<void> replace_link(const RootedReader& reader, std::string_view path,
                          std::string_view target);

}  // namespace kd
