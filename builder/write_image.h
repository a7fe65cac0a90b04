// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "builder/layout.h"
#include "builder/progress.h"
#include "builder/report/report.h"
#include "builder/write/manifest.h"

namespace kd {

// Writes the image, its manifest and, beside images of the default name, the unpacked size in MiB
// as kdump-tools does. With `strict` an image that does not fit is ErrorKind::kDoesNotFit, and
// what was on disk stays.
Result<Report> write_image(const std::string& image, bool strict, const Facts& facts,
                           const ImageInputs& inputs, Candidate candidate, Progress& progress);

// The manifest beside `image` alone.
Result<void> write_manifest(const std::string& image, const Manifest& manifest);

}  // namespace kd
