// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/calibration.h"

#include "builder/base/json.h"
#include "builder/fit/checked_text.h"
#include "builder/policy/command_line.h"

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// No Linux that can save a dump needs less, and nobody reserves more for a kernel.
constexpr std::uint64_t kSmallest = 16 * kMiB;
constexpr std::uint64_t kLargest = 1024 * kMiB;
constexpr std::uint64_t kMostMargin = 64 * kMiB;
constexpr unsigned kVersion = 1;
constexpr std::size_t kMostBytes = std::size_t{4} << 10;

// XXH3-128, see digest().
bool is_digest(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<Calibration> checked(Calibration calibration) {
  const CalibratedKernel& kernel = calibration.kernel;
  const bool known_accelerator =
      calibration.accelerator == "kvm" || calibration.accelerator == "tcg";
  if (!is_release(kernel.release) || !is_profile(kernel.profile) ||
      !is_digest(kernel.kernel_digest) || !is_digest(kernel.command_line_digest) ||
      !is_date(calibration.date) || !known_accelerator) {
    return fail(ErrorKind::kFailed, "kernel, profile, a digest, date or accelerator is not one");
  }
  const auto possible = [](std::uint64_t bytes) { return bytes >= kSmallest && bytes <= kLargest; };
  if (!possible(calibration.unpacking) || !possible(calibration.starting) ||
      !possible(calibration.capturing) || calibration.margin > kMostMargin ||
      calibration.capturing > calibration.starting) {
    return fail(ErrorKind::kFailed, "no kernel takes {} bytes unpacking, {} starting, {} capturing",
                calibration.unpacking, calibration.starting, calibration.capturing);
  }
  return calibration;
}

}  // namespace

std::string calibration_path(std::string_view image, std::string_view version) {
  const std::string_view folder = image.substr(0, image.rfind('/') + 1);
  return fmt::format("{}calibrated-{}.json", folder, version);
}

std::uint64_t calibration_margin(std::string_view command_line) {
  for (const std::string& parameter : split_parameters(command_line)) {
    if (parameter == "nokaslr") return kCalibrationMargin;
  }
  return kCalibrationMargin + kRandomPlaceMargin;
}

std::string calibration_to_json(const Calibration& calibration) {
  const Json json = {{"version", kVersion},
                     {"kernel", calibration.kernel.release},
                     {"profile", calibration.kernel.profile},
                     {"kernel_digest", calibration.kernel.kernel_digest},
                     {"command_line_digest", calibration.kernel.command_line_digest},
                     {"date", calibration.date},
                     {"accelerator", calibration.accelerator},
                     {"unpacking_bytes", calibration.unpacking},
                     {"starting_bytes", calibration.starting},
                     {"capturing_bytes", calibration.capturing},
                     {"margin_bytes", calibration.margin}};
  return json.dump(1) + "\n";
}

Result<Calibration> calibration_from_json(std::string_view text) {
  KD_TRY(const Json json, parse_json(text, kMostBytes));
  std::string problem;
  JsonObject object(json, "", problem);
  object.expect_version(kVersion);
  Calibration calibration;
  object.read("kernel", calibration.kernel.release);
  object.read("profile", calibration.kernel.profile);
  object.read("kernel_digest", calibration.kernel.kernel_digest);
  object.read("command_line_digest", calibration.kernel.command_line_digest);
  object.read("date", calibration.date);
  object.read("accelerator", calibration.accelerator);
  object.read("unpacking_bytes", calibration.unpacking);
  object.read("starting_bytes", calibration.starting);
  object.read("capturing_bytes", calibration.capturing);
  object.read("margin_bytes", calibration.margin);
  if (!problem.empty()) return fail(ErrorKind::kFailed, "{}", problem);
  return checked(std::move(calibration));
}

std::string source_of(const Calibration& calibration) {
  return fmt::format("calibrated in QEMU on {}", calibration.date);
}

KernelMemory calibrated(KernelMemory known, const Calibration& calibration,
                        const CalibratedKernel& kernel) {
  if (calibration.kernel != kernel) return known;
  // A machine in QEMU has no more devices than the kernels of the table were measured with.
  const std::uint64_t more = calibration.margin + known.devices;
  known.unpacking = calibration.unpacking + more;
  known.starting = calibration.starting + more;
  known.capturing = calibration.capturing + more;
  known.calibrated = true;
  known.source = source_of(calibration);
  if (known.devices > 0) {
    known.source += fmt::format(", {:.1f} MiB for the devices of this machine",
                                static_cast<double>(known.devices) / kMiB);
  }
  return known;
}

}  // namespace kd
