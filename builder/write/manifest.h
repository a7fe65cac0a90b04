// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an image was made from, kept beside it as FILE.manifest. An image is fresh when a new
// manifest would say the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/plan/image_plan.h"
#include "builder/write/contents.h"
#include "builder/write/image_file.h"

namespace kd {

struct ManifestInput {
  std::string path;    // in the image
  std::string source;  // where it was read; empty for what the builder wrote itself
  std::string digest;  // XXH3-128 of the source
  std::string reason;
  bool operator==(const ManifestInput&) const = default;
};

struct Manifest {
  std::string tool;  // version of kdump-mkinitrd
  std::string kernel;
  std::string target;
  std::string settings;                // compression, window, mtime
  std::string level;                   // of the compression; "default": as the codec has it here
  std::string variant;                 // name of the layout
  std::uint64_t reservation = 0;       // bytes the layout was chosen for; 0: unknown
  std::string memory;                  // what the prediction rests on
  std::uint64_t needed = 0;            // bytes of the smallest reservation that fits the image
  std::vector<std::string> decisions;  // what was left out or replaced, and why
  std::vector<ManifestInput> inputs;   // sorted by path
  std::string image_digest;            // XXH3-128 of the image file
  std::uint64_t image_size = 0;        // bytes
  bool operator==(const Manifest&) const = default;
};

// Without what only the finished image tells: needed, image_digest, image_size. `digests` are those
// of digest_contents().
Manifest make_manifest(const ImagePlan& plan, const std::vector<std::string>& digests,
                       const ImageSettings& settings, std::vector<std::string> decisions,
                       std::uint64_t reservation, std::string memory);

std::string manifest_to_json(const Manifest& manifest);
// Strict: names the JSON path of what is missing or of the wrong type.
Result<Manifest> manifest_from_json(std::string_view text);

// Why an image made from `old_manifest` is not what would be built now, in the user's words; empty
// when it is. Ignores needed, image_digest and image_size; and the level, unless one is asked for
// now.
std::vector<std::string> differences(const Manifest& old_manifest, const Manifest& now);

}  // namespace kd
