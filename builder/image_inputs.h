// SPDX-License-Identifier: GPL-2.0-or-later
//
// Everything that decides about the image but its layout, before a byte of it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/fit/calibration.h"
#include "builder/fit/memory_model.h"
#include "builder/inputs.h"
#include "builder/plan/image_plan.h"
#include "builder/write/image_file.h"

namespace kd {

struct ImageInputs {
  PlanInput plan;  // without a layout
  ImageSettings settings;
  std::string command_line;  // of the capture kernel
  KernelMemory kernel_memory;
  BounceBuffers bounce_buffers;
  std::optional<RealRoot> real_root;  // when it saves the dump
  std::vector<std::string> notes;
};

// What the modules of the running system take, which the real root of a capture loads again;
// 0: unknown. Of a recorded machine this one's tell nothing.
std::uint64_t loaded_module_bytes(const Roots& roots, const Facts& facts);

// Of a capture by an image of ours.
std::string command_line_of(const Facts& facts);

// What the kernel takes here with a command line, as far as its file and the machine tell.
KernelMemory derived_memory(const Facts& facts, std::string_view command_line);

// What a calibration has to be of to be believed.
Result<CalibratedKernel> calibrated_kernel(const Roots& roots, const Facts& facts,
                                           std::string_view command_line);

// `image` is the file to be written, beside which a calibration and the result of a boot test may
// lie.
Result<ImageInputs> choose_inputs(const ImageRequest& request, const std::string& image,
                                  const Roots& roots, const Facts& facts);

}  // namespace kd
