// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a kernel takes for itself in a capture, by series and command line profile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kd {

// Of the kernels that were tried without a row of their own Linux 7.3 missed its prediction most:
// it needed 82 MiB where 74 were predicted, and its cloud flavour 76 where 73 were.
inline constexpr std::uint64_t kUnmeasuredMargin = std::uint64_t{8} << 20;

struct KernelMemory {
  std::string source;  // "measured for Linux 6.1, tuned command line"
  // Bytes the kernel has in use, its memory map and everything else included, without the initrd.
  std::uint64_t unpacking = 0;      // while it unpacks the initrd
  std::uint64_t capturing = 0;      // once init memory is freed and init runs
  std::uint64_t measured_peak = 0;  // of a capture on this machine; 0: unknown
};

// `version` as in /lib/modules; `profile`: tuned or stock, anything else counts as stock. A series
// that was not measured gets the largest measured row of the profile and kUnmeasuredMargin.
// `integrity_buffers`: the command line keeps them though the profile would leave them out, see
// kWithoutIntegrityPools of builder/policy/command_line.h.
KernelMemory kernel_memory(std::string_view version, std::string_view profile,
                           bool integrity_buffers = false);

// The same with the command line of a capture that boots the real root: it lacks what the profile
// spares a direct capture alone (security modules, accounting, files of every slab cache).
KernelMemory with_real_root(KernelMemory memory, std::string_view profile);

// The figures in whole MiB and where they come from, for people.
std::string describe(const KernelMemory& memory);

}  // namespace kd
