// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an image of mkinitramfs(8) was made of, by content: a file that was replaced by an older
// one, or is gone, counts as well.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"

namespace kd {

using InitramfsInputs = std::map<std::string, std::string>;  // path -> digest

// Configuration, hooks and scripts of initramfs-tools, what its hooks for crypttab, md, LVM and
// multipath copy, and the index of the kernel's modules. A file that cannot be read is left out.
InitramfsInputs initramfs_inputs(const FileReader& reader, std::string_view version);

// The record beside an image: "DIGEST PATH" lines.
std::string to_text(const InitramfsInputs& inputs);
InitramfsInputs inputs_from_text(std::string_view text);

// Paths that were added, changed or removed between the two, sorted.
std::vector<std::string> changed_paths(const InitramfsInputs& before, const InitramfsInputs& now);

}  // namespace kd
