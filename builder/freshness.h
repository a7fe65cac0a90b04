// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "builder/image_inputs.h"
#include "builder/write/manifest.h"

namespace kd {

std::string manifest_path(const std::string& image);

// All that the prediction of memory rests on besides the files and the reservation.
std::string memory_figures(const ImageInputs& inputs, const Facts& facts);

// Why the image on disk has to be built again; empty when it is fresh.
using Reasons = std::vector<std::string>;
Result<Reasons> stale_reasons(const std::string& image, const ImageRequest& request,
                              const Roots& roots, const Facts& facts, const ImageInputs& inputs);

// What is asked of the image on disk, with the layout it was built with unless one is named.
ImageRequest with_layout_on_disk(ImageRequest request, const std::string& image,
                                 const Roots& roots);

}  // namespace kd
