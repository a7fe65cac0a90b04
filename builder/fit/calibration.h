// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a calibration in QEMU (builder/boot_test/floor.h) told about a kernel, and for which one it
// is believed. Unlike a capture or a boot test it tells of the moments before init starts, at which
// nobody can look. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/base/result.h"
#include "builder/fit/kernel_memory.h"

namespace kd {

// Beside the image: calibrated-VERSION.json.
std::string calibration_path(std::string_view image, std::string_view version);

// What it holds for, and nothing else.
struct CalibratedKernel {
  std::string release;
  std::string profile;              // tuned | stock
  std::string kernel_digest;        // of vmlinuz
  std::string command_line_digest;  // of the capture kernel's
  bool operator==(const CalibratedKernel&) const = default;
};

struct Calibration {
  CalibratedKernel kernel;
  std::string date;         // 2026-11-28
  std::string accelerator;  // kvm | tcg
  // Bytes of the smallest reservation, less what was unpacked in it and the memory map: see
  // KernelMemory.
  std::uint64_t unpacking = 0;
  std::uint64_t starting = 0;
  std::uint64_t capturing = 0;
  std::uint64_t margin = 0;  // to be added to each
  bool operator==(const Calibration&) const = default;
};

// For what is found in steps of half a MiB and is down to chance near it, and for the controllers
// and firmware tables of a real machine, of which a bare one in QEMU has few.
inline constexpr std::uint64_t kCalibrationMargin = std::uint64_t{1} << 20;
// More where the kernel lies elsewhere each time, for lack of nokaslr.
inline constexpr std::uint64_t kRandomPlaceMargin = std::uint64_t{1} << 20;
std::uint64_t calibration_margin(std::string_view command_line);

std::string calibration_to_json(const Calibration& calibration);
// Refuses whatever is not exactly as expected.
[[nodiscard]] Result<Calibration> calibration_from_json(std::string_view json);

// "calibrated in QEMU on 2026-11-28"
std::string source_of(const Calibration& calibration);

// The figures of a calibration of exactly this kernel, its margin included, in the place of those
// that are `known`, but for what the devices of the machine take; for another one these stay.
KernelMemory calibrated(KernelMemory known, const Calibration& calibration,
                        const CalibratedKernel& kernel);

}  // namespace kd
