// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/kernel_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

struct Row {
  std::string_view series;
  std::string_view profile;
  std::uint64_t unpacking;          // MiB
  std::uint64_t capturing;          // MiB
  std::uint64_t integrity_buffers;  // MiB, for those who keep them
};

// Debian's amd64 kernels on QEMU's PC with 1 GiB, from bisections of crashkernel= in steps of 1 MiB
// (bench/calibrate): the smallest that saves less what the model adds for the image. Where
// unpacking decides, capturing is only known to be less; 2 MiB more than that are for other
// drivers. For 6.1, tuned, they are added to what captures reported when init began: 60 MiB.
constexpr std::array<Row, 5> kMeasured = {{
    {"6.1", "tuned", 70, 62, 0},
    {"6.1", "stock", 84, 77, 0},
    {"6.12", "tuned", 62, 57, 0},
    {"6.12", "stock", 69, 64, 0},
    {"7.3", "tuned", 72, 65, 10},
}};

std::string_view series_of(std::string_view version) {
  const std::size_t minor = version.find('.');
  if (minor == std::string_view::npos) return version;
  return version.substr(0, version.find_first_not_of("0123456789", minor + 1));
}

}  // namespace

KernelMemory kernel_memory(std::string_view version, std::string_view profile,
                           bool integrity_buffers) {
  const std::string_view series = series_of(version);
  const Row* best = nullptr;
  const auto more_of = [integrity_buffers](const Row& row) {
    return integrity_buffers ? row.integrity_buffers : 0;
  };
  for (const Row& row : kMeasured) {
    if (row.profile != profile) continue;
    if (row.series == series) {
      const std::uint64_t more = more_of(row);
      return {.source = fmt::format("measured for Linux {}, {} command line{}", series, profile,
                                    more > 0 ? ", with buffers for integrity metadata" : ""),
              .unpacking = (row.unpacking + more) * kMiB,
              .capturing = (row.capturing + more) * kMiB};
    }
    if (best == nullptr || row.unpacking > best->unpacking) best = &row;
  }
  if (best == nullptr) return kernel_memory(version, "stock");
  return {.source = fmt::format("no measurement for Linux {}: that of {}, and {} MiB as margin",
                                series, best->series, kUnmeasuredMargin / kMiB),
          .unpacking = (best->unpacking + more_of(*best)) * kMiB + kUnmeasuredMargin,
          .capturing = (best->capturing + more_of(*best)) * kMiB + kUnmeasuredMargin};
}

KernelMemory with_real_root(KernelMemory memory, std::string_view profile) {
  // The savings that the rows of the command line profile give: 0.6, 0.5 and 1.5 MB.
  constexpr std::uint64_t kDirectOnly = 3 * kMiB;
  if (profile != "tuned") return memory;
  memory.unpacking += kDirectOnly;
  memory.capturing += kDirectOnly;
  memory.source += fmt::format(", {} MiB more for the real root", kDirectOnly / kMiB);
  return memory;
}

std::string describe(const KernelMemory& memory) {
  std::string text = fmt::format("{} MiB unpacking, {} MiB capturing", memory.unpacking / kMiB,
                                 memory.capturing / kMiB);
  if (memory.measured_peak > 0) text += fmt::format(", peak {} MiB", memory.measured_peak / kMiB);
  return fmt::format("{}: {}", text, memory.source);
}

}  // namespace kd
