// SPDX-License-Identifier: GPL-2.0-or-later
//
// Everything placed: which file goes where in the image, from where, and why. Pure.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"
#include "builder/plan/variant.h"
#include "builder/policy/requirements.h"
#include "builder/programs/closure.h"
#include "modsel/firmware.h"
#include "modsel/select.h"

namespace kd {

enum class Source {
  kDirectory,
  kText,     // `text` itself
  kFile,     // a file below the root the machine's programs come from
  kKernel,   // a module below the root of the target kernel
  kBuilder,  // a file on the host that comes with the builder
};

enum class Group { kInit, kModule, kFirmware, kProgram, kLibrary };

struct PlanEntry {
  std::string path;        // in the image, relative
  std::uint32_t mode = 0;  // type and permissions
  Source source = Source::kText;
  std::string source_path;  // empty for kDirectory and kText
  std::string text;         // content for kText
  bool packed = false;      // stored as one xz stream; the path ends in ".xz"
  Group group = Group::kInit;
  std::string reason;
  std::string because;  // image path of the entry that asked for it, empty at the root
};

struct ImagePlan {
  std::string kernel;
  std::string crashed_kernel;  // release; its memory is dumped
  Variant variant;
  Target target;
  std::vector<PlanEntry> entries;  // sorted by path, paths unique
};

struct PlanInput {
  std::string kernel;
  std::string crashed_kernel;
  Variant variant = kVariants.front();
  Requirements requirements;
  modsel::ModuleSet modules;
  std::set<std::string, std::less<>> root_only;  // names of those that the dump does not need
  std::vector<modsel::FirmwareFile> firmware;
  std::vector<ProgramFile> programs;  // may name the same library more than once
  std::string init_path;              // on the host
};

// Fails with ErrorKind::kUsage when the result exceeds what init can read (init_config.h).
[[nodiscard]] Result<ImagePlan> make_plan(const PlanInput& input);

// The reasons of one entry from itself up to the target, one line each. `path` with or without a
// leading "/", or a module name. Not in the plan: an error with the nearest names.
[[nodiscard]] Result<std::vector<std::string>> why(const ImagePlan& plan, std::string_view path);

}  // namespace kd
