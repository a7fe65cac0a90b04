// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a kernel takes for itself in a capture: derived from its file, its command line and its
// version. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/facts/kernel_image.h"

namespace kd {

struct KernelMemoryInput {
  std::string_view version;       // as in /lib/modules
  std::string_view command_line;  // of the capture
  KernelImage image;
  std::uint64_t pci_devices = 0;  // as in MachineFacts
  std::uint64_t acpi_devices = 0;
};

struct KernelMemory {
  std::string source;  // each part in MiB, and where it comes from
  // Bytes the kernel has in use without the initrd and without memory_map().
  std::uint64_t unpacking = 0;  // while it unpacks the initrd
  // Before it starts init and frees its init memory, the initrd being freed; 0: no more than that.
  std::uint64_t starting = 0;
  std::uint64_t capturing = 0;      // once init memory is freed and init runs
  std::uint64_t measured_peak = 0;  // of a capture here, with kMapOfMeasurements; 0: unknown
  KernelImage image;
  std::uint64_t devices = 0;  // of these bytes, for more devices than kernels are measured with
  bool calibrated = false;    // see calibration.h
};

// Every part has its reason beside its number in kernel_memory.cc. A series that nobody measured
// takes what the largest measured one does at work, and 2 MiB.
KernelMemory kernel_memory(const KernelMemoryInput& input);

// Whether what the series takes at work was measured: "as measured for Linux 6.1", or
// "derived: nobody has measured Linux 7.0".
std::string work_source(std::string_view version);

// The page structs of a capture kernel in bytes: 64 for each page, and those of whole sections of
// 128 MiB, of which the low 640 KiB have one (sparse_init_nid() of mm/sparse.c; SECTION_SIZE_BITS
// and CRASH_ALIGN of x86-64). 74M at 880M lie in two sections, and a Linux 6.1 was out of memory
// there that saves with 71M elsewhere.
// `size`: bytes reserved; `end`: address behind them, 0 unknown: then it may lie across a border.
std::uint64_t memory_map(std::uint64_t size, std::uint64_t end);
inline constexpr std::uint64_t kMemorySection = std::uint64_t{128} << 20;
inline constexpr std::uint64_t kMapOfLowMemory = std::uint64_t{2} << 20;
// What is in a Measurement: of a reservation in one section, and of low memory.
inline constexpr std::uint64_t kMapOfMeasurements = 2 * kMapOfLowMemory;

// The figures in whole MiB and where they come from, for people.
std::string describe(const KernelMemory& memory);

}  // namespace kd
