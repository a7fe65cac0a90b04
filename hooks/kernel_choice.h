// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which installed kernel is the capture kernel: KDUMP_KERNEL_VERSION. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/facts/kdump_config.h"

namespace kd {

// An installed kernel as the capture kernel of this machine.
struct KernelCandidate {
  std::string version;
  std::uint64_t needed = 0;  // bytes of reservation for its smallest image; 0: nobody knows
  std::string source;        // where the model has the kernel's share of it from
  std::string unfit;         // why it cannot capture here; empty: it can, as far as anybody knows
  bool operator==(const KernelCandidate&) const = default;
};

struct KernelChoice {
  std::string version;
  std::string reason;    // in the words of the setting; empty for the running kernel by default
  bool followed = true;  // false: the setting cannot be followed, and `reason` says why
};

// - "running": the running kernel.
// - a release: that one when it can capture, else the running kernel.
// - "smallest": of those that can, the one that needs least. The running kernel wins unless another
//   needs a mebibyte less, which is the unit of crashkernel=: it is the only one that is known to
//   run here, and small differences would only make two versions of it take turns. Among others the
//   newest wins.
KernelChoice choose_kernel(std::string_view setting, std::string_view running,
                           const std::vector<KernelCandidate>& candidates);

// Whose memory an image of `version` filters: while another kernel than the running one captures,
// that of the running one. An image of a kernel that captures for itself may be for the next boot.
std::string crashed_kernel(const KdumpConfig& config, std::string_view running,
                           std::string_view version);

// The candidates for people, a line each. `chosen` is marked, and so is the running kernel.
std::string candidates_text(const std::vector<KernelCandidate>& candidates,
                            std::string_view running, const KernelChoice& chosen);

}  // namespace kd
