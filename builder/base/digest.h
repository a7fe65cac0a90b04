// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "builder/base/file_reader.h"

namespace kd {

// XXH3-128 of `data` as 32 lower-case hex digits. Finds equal contents; no protection against
// somebody who builds collisions on purpose, so users compare bytes before they merge files.
std::string digest(std::string_view data);

struct FileDigest {
  std::string digest;
  std::uint64_t size = 0;  // bytes
};
// Of a file, without ever holding it.
Result<FileDigest> digest_of_file(const FileReader& reader, std::string_view path);

}  // namespace kd
