// SPDX-License-Identifier: GPL-2.0-or-later
//
// Everything that decides about the image, before a byte of it is made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/rooted_reader.h"
#include "builder/facts/initramfs_config.h"
#include "builder/facts/kdump_config.h"
#include "builder/facts/kernel.h"
#include "builder/facts/machine.h"
#include "builder/fit/memory_model.h"
#include "builder/options.h"
#include "builder/plan/image_plan.h"
#include "builder/write/contents.h"
#include "builder/write/image_file.h"

namespace kd {

// Where inputs come from. The host is this machine's own root, for what is named by host paths.
struct Roots {
  RootedReader machine;
  RootedReader kernel;
  RootedReader host;
};

struct Facts {
  MachineFacts machine;
  KdumpConfig config;
  InitramfsConfig additions;
  KernelFacts kernel;
};

// What goes into the image, whatever its layout.
struct Selection {
  PlanInput input;
  ImageSettings settings;
  std::string command_line;  // of the capture kernel
  KernelMemory kernel_memory;
  std::vector<std::string> notes;
};
Result<Selection> select_inputs(const Options& options, const Roots& roots, const Facts& facts);

// The plan of one layout, as kdump-mkinitrd is installed or lies in a build tree.
Result<ImagePlan> plan_variant(const Selection& selection, const Variant& variant);

// The file NAME of ../lib/kdump-mkinitrd, beside this program's directory: installed, or of a
// build.
Result<std::string> own_file(std::string_view name);

// Bytes reserved by --crashkernel or by the machine; 0: unknown.
std::uint64_t reservation_for(const Options& options, const Facts& facts);

// One layout of the selection, with what every file holds and the memory it takes.
struct Candidate {
  ImagePlan plan;
  std::vector<std::string> digests;  // of what was read, in the plan's order
  std::vector<cpio::Entry> entries;  // plain, in the plan's order
  ModelInput model;                  // with an estimate for the size of the image
  std::uint64_t reservation = 0;     // bytes; 0: unknown
};

// The first variant that fits the reservation, the smallest when none does. A reservation that is
// not known decides nothing: the first variant.
Result<Candidate> choose_variant(const Options& options, const Roots& roots, const Facts& facts,
                                 const Selection& selection);

}  // namespace kd
