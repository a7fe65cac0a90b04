// SPDX-License-Identifier: GPL-2.0-or-later
//
// The installed kernels as capture kernels of this machine: facts for kernel_choice.h.
#pragma once

#include <string>
#include <vector>

#include "hooks/context.h"
#include "hooks/kernel_choice.h"
#include "hooks/state.h"

namespace kd {

struct ChoiceInputs {
  KdumpConfig config;
  std::string running;       // the kernel that crashes
  bool signed_only = false;  // kexec_file_load(2) under lockdown takes nothing else
  std::string removed;       // a release that is on its way out of the system; empty: none
  std::string facts;         // a recorded machine in place of this one; empty: none
};
ChoiceInputs choice_inputs(const KdumpState& state);

// All installed kernels, newest first. Each is asked of kdump-mkinitrd, which plans an image of it
// with the layout "packed", for it needs least. Changes nothing.
std::vector<KernelCandidate> examine_kernels(const Context& context, const ChoiceInputs& inputs);

// As KDUMP_KERNEL_VERSION says; kernels are examined only where that depends on them.
KernelChoice choose_capture_kernel(const Context& context, const ChoiceInputs& inputs);

}  // namespace kd
