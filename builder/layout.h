// SPDX-License-Identifier: GPL-2.0-or-later
//
// The last decision: which layout the image has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/fit/memory_model.h"
#include "builder/image_inputs.h"
#include "builder/write/manifest.h"
#include "cpio/archive.h"

namespace kd {

// The plan of one layout, as kdump-mkinitrd is installed or lies in a build tree.
Result<ImagePlan> plan_variant(const ImageInputs& inputs, const Variant& variant);

// Bytes reserved by --crashkernel or by the machine; 0: unknown.
std::uint64_t reservation_for(const ImageRequest& request, const Facts& facts);
// The part of it that is crashkernel=,cma.
std::uint64_t cma_in(std::uint64_t reservation, const Facts& facts);

// What choose_variant() goes by besides what the files hold.
LayoutBasis layout_basis(const ImageRequest& request, const Facts& facts,
                         const ImageInputs& inputs);

// One layout of the image, with what every file holds and the memory it takes.
struct Candidate {
  ImagePlan plan;
  std::vector<std::string> digests;  // of what was read, in the plan's order
  std::vector<cpio::Entry> entries;  // plain, in the plan's order
  ModelInput model;                  // with an estimate for the size of the image
  LayoutBasis basis;
};

// The first variant that fits the reservation, the smallest when none does. A reservation that is
// not known decides nothing: the first variant.
Result<Candidate> choose_variant(const ImageRequest& request, const Roots& roots,
                                 const Facts& facts, const ImageInputs& inputs);

}  // namespace kd
