// SPDX-License-Identifier: GPL-2.0-or-later
//
// What memory the file of a kernel asks for.
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/base/result.h"

namespace kd {

// Bytes. All 0: not an x86-64 kernel, or one in a codec that we do not unpack.
struct KernelImage {
  // Code, data and bss as they lie in memory, gaps for alignment included: what the kernel reserves
  // of itself, from _text to __end_of_kernel_reserve (setup_arch() of arch/x86/kernel/setup.c).
  std::uint64_t memory = 0;
  // To place it at all: one piece with that alignment.
  std::uint64_t piece = 0;
  std::uint64_t alignment = 0;
  bool operator==(const KernelImage&) const = default;
};

// `start`: the first 128 KiB of a file of `file_size` bytes, a bzImage or an ELF vmlinux.
// `memory_encryption`: CONFIG_AMD_MEM_ENCRYPT, with which a scratch area follows behind what is
// kept (.init.scratch of arch/x86/kernel/vmlinux.lds.S). A bzImage that is cut off is an error.
// Pure.
Result<KernelImage> parse_kernel_image(std::string_view start, std::uint64_t file_size,
                                       bool memory_encryption);

}  // namespace kd
