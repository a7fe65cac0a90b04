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

// What the command line asked for; empty: nothing, and the program chose.
struct Asked {
  std::string variant;
  std::string compression;
  std::string level;
  bool operator==(const Asked&) const = default;
};

// What the layout was chosen by, besides what the files hold.
struct LayoutBasis {
  Asked asked;
  std::uint64_t reservation = 0;  // bytes; 0: unknown
  std::string figures;            // of the memory model, exact, for comparing
  std::string memory;             // the same for people, with where they come from
  // Whether the same files lead to the same layout.
  [[nodiscard]] bool chooses_like(const LayoutBasis& other) const {
    return asked.variant == other.asked.variant && reservation == other.reservation &&
           figures == other.figures;
  }
  bool operator==(const LayoutBasis&) const = default;
};

struct Manifest {
  std::string tool;  // version of kdump-mkinitrd
  std::string kernel;
  std::string crashed_kernel;  // release; by it the dump level was chosen
  std::string target;
  std::string settings;  // compression with its level, window, mtime
  std::string variant;   // name of the layout
  LayoutBasis basis;
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
                       LayoutBasis basis);

std::string manifest_to_json(const Manifest& manifest);
// Strict: names the JSON path of what is missing or of the wrong type.
Result<Manifest> manifest_from_json(std::string_view text);

// Why an image made from `old_manifest` is not what would be built now, in the user's words; empty
// when it is. The basis alone makes no difference: another reservation or measurement that leads to
// the same layout and the same need builds the same image, and so does another crashed kernel whose
// memory is filtered alike. Ignores image_digest and image_size.
std::vector<std::string> differences(const Manifest& old_manifest, const Manifest& now);

}  // namespace kd
