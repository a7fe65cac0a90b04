// SPDX-License-Identifier: GPL-2.0-or-later
//
// The memory that crashkernel= reserved in this boot.
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/base/file_reader.h"

namespace kd {

struct Reservation {
  std::uint64_t bytes = 0;  // of all ranges that nothing else uses
  std::uint64_t end = 0;    // address behind the last range; 0: unknown
  // crashkernel=SIZE,cma: programs of this kernel use it until the crash, then the capture kernel
  // has it too. Only kexec_file_load(2) tells it of these ranges.
  std::uint64_t cma = 0;
  bool high = false;  // a range lies above 4 GiB
};

// From /proc/iomem, /sys/kernel/kexec/crash_size (which before Linux 6.6 lacks the low part of
// crashkernel=SIZE,high) and /sys/kernel/kexec/crash_cma_ranges. Without root rights iomem has
// addresses of 0 and the second alone counts. Pure.
Reservation parse_reservation(std::string_view iomem, std::string_view crash_size,
                              std::string_view cma_ranges);

Reservation read_reservation(const FileReader& reader);

// What a capture kernel has that is loaded with KDUMP_KEXEC_ARGS, in bytes.
std::uint64_t usable_reservation(std::uint64_t bytes, std::uint64_t cma,
                                 std::string_view kexec_args);

// The first of /sys/kernel/kexec/crash_NAME, where Linux 6.19 has it, and the older
// /sys/kernel/kexec_crash_NAME.
Result<std::string> read_crash_attribute(const FileReader& reader, std::string_view name);

}  // namespace kd
