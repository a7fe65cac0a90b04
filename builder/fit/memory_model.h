// SPDX-License-Identifier: GPL-2.0-or-later
//
// How much memory a capture takes, before it happens. Pure. Four moments can decide: while kexec
// places kernel and initrd, while the kernel unpacks the initrd (its own init memory is not freed
// yet), while init loads the largest module, and while makedumpfile runs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/fit/bounce_buffers.h"
#include "builder/fit/kernel_memory.h"
#include "builder/fit/term.h"
#include "builder/plan/image_plan.h"
#include "cpio/archive.h"
#include "cpio/compression.h"

namespace kd {

struct Peak {
  std::string name;
  std::vector<Term> terms;
  [[nodiscard]] std::uint64_t total() const;  // bytes
};

struct FileSize {
  std::uint64_t bytes = 0;  // unpacked
  bool module = false;
};
std::vector<FileSize> file_sizes(const ImagePlan& plan, const std::vector<cpio::Entry>& entries);

// The image hands over to the real root, which saves the dump.
struct RealRoot {
  std::uint64_t modules = 0;  // bytes that the modules of the running system take; 0: unknown
};

struct ModelInput {
  Variant variant;
  std::vector<FileSize> files;
  std::uint64_t image_size = 0;   // bytes of the initrd
  cpio::Compression compression;  // of the archive
  KernelMemory kernel;
  std::uint64_t reservation_end = 0;        // address behind it; 0: unknown, see memory_map()
  std::uint64_t cma = 0;                    // bytes of crashkernel=,cma that a capture has besides
  std::uint64_t ram = 0;                    // bytes of the crashed kernel
  std::vector<std::string> dump_arguments;  // of makedumpfile
  BounceBuffers bounce_buffers;
  std::optional<RealRoot> real_root;
  std::vector<RequiredLayer> layers;  // that init assembles
};

// Before anything was compressed: what the codec makes of Debian's modules and libraries, and 5 %.
[[nodiscard]] std::uint64_t estimate_image_size(const ModelInput& input);

struct Fit {
  Peak place, unpack, load, capture;  // unpack: or "starting init", where that takes more
  std::uint64_t needed = 0;           // smallest reservation in bytes, a multiple of 1 MiB
  // The smallest sum of both parts with that crashkernel=,cma, in which kexec places nothing;
  // without one the same.
  std::uint64_t needed_with_cma = 0;
  [[nodiscard]] std::array<const Peak*, 4> peaks() const {
    return {&place, &unpack, &load, &capture};
  }
  [[nodiscard]] const Peak& largest() const;
};

[[nodiscard]] Fit predict(const ModelInput& input);

// Rounded up, as a reservation is.
[[nodiscard]] std::uint64_t whole_mebibytes(std::uint64_t bytes);

}  // namespace kd
