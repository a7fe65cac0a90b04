// SPDX-License-Identifier: GPL-2.0-or-later
//
// Dumps that came through a pipe (makedumpfile -F): pieces with their place in the file.
#pragma once

#include <string>

#include "builder/base/fd.h"
#include "builder/base/result.h"

namespace kd::verify {

// Whether a file starts as such dumps do.
bool is_flattened(int fd);

// Puts every piece where it belongs, as makedumpfile -R does. Writes as many bytes as it reads.
struct Rearranged {
  std::string cut_off;  // why the end of the file is missing; empty when it is there
};
Result<Rearranged> rearrange(int from, int to);

// An empty file without a name on a disk: in `directory`, or in /var/tmp where that is read-only.
Result<Fd> unnamed_file(const std::string& directory);

}  // namespace kd::verify
