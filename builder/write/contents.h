// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "builder/base/file_reader.h"
#include "builder/plan/image_plan.h"

namespace kd {

// Where the files of a plan come from.
struct Sources {
  const FileReader& machine;  // programs, libraries, firmware
  const FileReader& kernel;   // modules
  const FileReader& host;     // our own init
};

// What the entries hold, by their index in ImagePlan::entries; empty for directories.
Result<std::vector<std::string>> load_contents(const ImagePlan& plan, const Sources& sources);

// The digests of the same contents, which are never held: a question after freshness costs a
// fifth of loading them.
Result<std::vector<std::string>> digest_contents(const ImagePlan& plan, const Sources& sources);
std::vector<std::string> digest_contents(const ImagePlan& plan,
                                         const std::vector<std::string>& contents);

}  // namespace kd
