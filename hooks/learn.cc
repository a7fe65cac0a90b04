// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/learn.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/stat.h>

#include <ctime>

#include "builder/base/atomic_file.h"
#include "builder/base/digest.h"
#include "builder/fit/calibration.h"
#include "builder/fit/measurement.h"
#include "builder/init/dump_directory.h"
#include "builder/init/report.h"
#include "hooks/dumps.h"
#include "hooks/state.h"

namespace kd {
namespace {

// A dump directory may hold years of dumps; an old report tells of another kernel.
constexpr std::size_t kMostReports = 20;

Result<Measurement> read_report(const Context& context, const std::string& path) {
  KD_TRY(const std::string host, context.reader.host_path(path));
  if (!kdinit::is_own(AT_FDCWD, host.c_str(), S_IFREG)) {
    return fail(ErrorKind::kFailed, "made by somebody else");
  }
  KD_TRY(const FileStatus status, context.reader.status(path));
  if (status.size > kdinit::kMaxReportBytes) {
    return fail(ErrorKind::kFailed, "larger than any report");
  }
  KD_TRY(const std::string text, context.reader.read(path));
  return measurement_from_report(text, "a capture");
}

std::string today() { return fmt::format("{:%Y-%m-%d}", fmt::localtime(std::time(nullptr))); }

std::string measured_path(std::string_view version) {
  return fmt::format("{}{}.json", kMeasuredPrefix, version);
}

// Empty: there is none of exactly this kernel.
std::string calibrated_source(const FileReader& reader, std::string_view version,
                              std::string_view profile, std::string_view kernel_file,
                              std::string_view command_line) {
  const Result<std::string> text = reader.read(calibration_path(image_path(version), version));
  if (!text || kernel_file.empty()) return {};
  const Result<Calibration> calibration = calibration_from_json(*text);
  const Result<FileDigest> kernel = digest_of_file(reader, kernel_file);
  if (!calibration || !kernel) return {};
  const CalibratedKernel here{.release = std::string(version),
                              .profile = std::string(profile),
                              .kernel_digest = kernel->digest,
                              .command_line_digest = digest(command_line)};
  return calibration->kernel == here ? source_of(*calibration) : std::string();
}

}  // namespace

Result<void> learn(const Context& context, const KdumpConfig& config) {
  std::vector<std::string> runs = list_runs(context.reader, config);
  if (runs.size() > kMostReports) runs.resize(kMostReports);
  for (const std::string& run : runs) {
    const std::string path = fmt::format("{}/{}", run, kdinit::kReportName);
    const Result<Measurement> measurement = read_report(context, path);
    if (!measurement) continue;
    const std::string text = measurement_to_json(*measurement);
    const std::string kept = measured_path(measurement->kernel);
    const std::string before = context.reader.read(kept).value_or("");
    if (before == text) return {};
    // The dump of a rehearsal is gone when it was looked at, its figures stay. A date to come is of
    // a clock that was wrong.
    if (const auto known = measurement_from_json(before);
        known && known->date > measurement->date && known->date <= today()) {
      return {};
    }
    KD_TRY(const std::string directory, context.reader.host_path(kDataDir));
    KD_TRY(AtomicFile file,
           AtomicFile::create(directory + kept.substr(std::string(kDataDir).size())));
    KD_CHECK(write_file(file, text));
    context.say(fmt::format("took the memory figures of {}", path));
    return {};
  }
  return {};
}

std::string memory_source(const FileReader& reader, const KdumpConfig& config,
                          std::string_view version, std::string_view kernel_file,
                          std::string_view command_line) {
  const std::string_view profile = memory_profile(config);
  const std::string calibrated =
      calibrated_source(reader, version, profile, kernel_file, command_line);
  for (const std::string& path : {measured_path(version), boot_test_path(image_path(version))}) {
    const Result<std::string> text = reader.read(path);
    if (!text) continue;
    const Result<Measurement> measurement = measurement_from_json(*text);
    if (!measurement) continue;
    if (holds_for(*measurement, version, profile)) {
      return source_of(*measurement) + (calibrated.empty() ? "" : ", " + calibrated);
    }
  }
  return calibrated.empty() ? work_source(version) : calibrated;
}

}  // namespace kd
