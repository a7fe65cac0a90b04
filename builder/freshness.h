// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether the image on disk is what would be built.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/image_inputs.h"
#include "builder/write/manifest.h"

namespace kd {

std::string manifest_path(const std::string& image);

// Of the manifest beside an image.
Result<Manifest> read_manifest(const std::string& image, const Roots& roots);

// Why the image on disk has to be built again; empty when it is fresh.
using Reasons = std::vector<std::string>;

struct Freshness {
  Reasons reasons;
  // Of the image on disk as it would be described now, with what it needs by today's figures; there
  // when it is fresh.
  std::optional<Manifest> manifest;
  bool outdated_manifest = false;  // the image is fresh, and its manifest tells older figures
};
Result<Freshness> freshness(const std::string& image, const ImageRequest& request,
                            const Roots& roots, const Facts& facts, const ImageInputs& inputs);

}  // namespace kd
