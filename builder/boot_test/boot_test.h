// SPDX-License-Identifier: GPL-2.0-or-later
//
// Boots an image as a crash would: a first kernel in QEMU reserves the memory, loads the image,
// panics, and a disk like the target's waits for the dump.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/base/result.h"
#include "builder/base/runner.h"
#include "builder/facts/machine.h"

namespace kd {

struct BootTestInput {
  const MachineFacts& machine;
  std::string kernel;             // bytes of the bzImage
  std::string image;              // bytes of the initrd
  std::string command_line;       // of the capture kernel
  std::uint64_t reservation = 0;  // bytes
  // Layers of the real machine that this one is without; what it tells is no measurement then.
  std::vector<std::string> left_out;
  std::string crash_init;  // bytes of kdump-init-crash
  bool kvm = false;        // try it first; emulation takes over where it does not work
};

struct BootTestResult {
  bool passed = false;
  std::string text;  // for people
  std::string json;  // to keep; a Measurement when passed (builder/fit/measurement.h)
};

// Works in a directory of its own below $TMPDIR or /var/tmp and leaves nothing. Ends after five
// minutes at the latest. Errors: ErrorKind::kProgramMissing names the package of QEMU or mkfs,
// kTargetNotSupported a target that QEMU cannot imitate.
[[nodiscard]] Result<BootTestResult> run_boot_test(const BootTestInput& input,
                                                   ProgramRunner& runner);

}  // namespace kd
