// SPDX-License-Identifier: GPL-2.0-or-later
//
// From a plan and its contents to the file. Nothing is decided here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"
#include "builder/plan/image_plan.h"
#include "builder/write/contents.h"
#include "cpio/image.h"

namespace kd {

struct ImageSettings {
  cpio::Compression compression;
  std::int64_t mtime = 0;  // SOURCE_DATE_EPOCH, else 0
};

// What the entries of a plan hold once they are in use, in the plan's order: modules unpacked,
// because the image's own compression does better on the plain bytes.
Result<std::vector<cpio::Entry>> plain_entries(const ImagePlan& plan,
                                               std::vector<std::string> contents);

// The bytes of the initrd, read back and compared with `entries` before they are returned.
Result<std::string> make_image(const ImagePlan& plan, const std::vector<cpio::Entry>& entries,
                               const ImageSettings& settings);

// Reads `image` back and compares every file with what `entries` say is in it.
Result<void> verify_image(std::string_view image, const ImagePlan& plan,
                          const std::vector<cpio::Entry>& entries);

}  // namespace kd
