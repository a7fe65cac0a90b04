// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a capture on this machine, or a boot test of its image, told about memory, and how far it is
// believed. The text comes from a disk that a crashed machine wrote to: whatever is not exactly as
// expected is refused. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/base/result.h"
#include "builder/fit/kernel_memory.h"

namespace kd {

// Of the file that kdump-config keeps; VERSION.json follows.
inline constexpr std::string_view kMeasuredPrefix = "/var/lib/kdump/measured-";
// Where the result of a boot test is kept.
inline std::string boot_test_path(const std::string& image) { return image + ".boot-test.json"; }

struct Measurement {
  std::string kernel;   // release, for which alone it holds
  std::string profile;  // tuned | stock, for which alone it holds
  std::string origin;   // "a capture" | "a boot test"
  std::string date;     // 2026-11-23
  // Bytes, as in a reservation in one section of the memory map: what a larger map has more is
  // taken off.
  std::uint64_t kernel_bytes = 0;  // in use when init started, without the files of the image
  std::uint64_t peak_bytes = 0;    // reservation less the lowest MemAvailable of the whole capture
  bool operator==(const Measurement&) const = default;
};

// Of kdump-report.json (builder/init/report.h). Only a capture that saved what it was asked to save
// at the first try is a measurement, and only of the kernel its image was built for and of the
// profile its command line followed.
[[nodiscard]] Result<Measurement> measurement_from_report(std::string_view json,
                                                          std::string_view origin);

// The file that keeps it. Keys that are not known are ignored: a boot test has more to say.
std::string measurement_to_json(const Measurement& measurement);
[[nodiscard]] Result<Measurement> measurement_from_json(std::string_view json);

bool holds_for(const Measurement& measurement, std::string_view version, std::string_view profile);
std::string source_of(const Measurement& measurement);  // "measured in a capture on 2026-11-23"

// The derived figures corrected by a measurement of the same kernel and profile; of another
// one they stay as they are.
// - More than derived raises both moments by the difference.
// - Less lowers only the moment that was measured, by kMostLowered at most: the kernel may have had
//   less to do than next time. While it unpacks nobody can look, so that figure is never lowered.
inline constexpr std::uint64_t kMostLowered = std::uint64_t{4} << 20;
KernelMemory corrected(KernelMemory known, const Measurement& measurement, std::string_view version,
                       std::string_view profile);

}  // namespace kd
