// SPDX-License-Identifier: GPL-2.0-or-later
//
// The bounce buffers (swiotlb) of a capture kernel on x86-64. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kd {

struct BounceBuffers {
  std::uint64_t bytes = 0;  // 0: none
  std::string reason;
};

struct BounceBufferInput {
  std::string_view command_line;        // of the capture kernel
  std::span<const std::string> limits;  // MachineFacts::dma_limits
  std::uint64_t ram = 0;                // bytes of the crashed kernel
};

// As pci_swiotlb_detect() of arch/x86/kernel/pci-dma.c and kernel/dma/swiotlb.c have it. 6 % of
// memory, which SEV takes where that is more than 64 MiB, is more in reservations beyond 1 GiB
// only, and those fit as well.
BounceBuffers bounce_buffers(const BounceBufferInput& input);

}  // namespace kd
