// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/measurement.h"

#include <algorithm>

#include "builder/base/json.h"
#include "builder/fit/checked_text.h"

namespace kd {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// In the map of a report beside the reservation.
constexpr std::uint64_t kLowMemory = kMiB;
// The end of a reservation that lies in as few sections as it can.
constexpr std::uint64_t kWell = std::uint64_t{1} << 50;
// No Linux that can save a dump needs less, and nobody reserves more.
constexpr std::uint64_t kSmallest = 16 * kMiB;
constexpr std::uint64_t kLargest = std::uint64_t{64} * 1024 * kMiB;
constexpr unsigned kVersion = 1;

// Both formats are smaller than a tenth of this.
constexpr std::size_t kMostBytes = std::size_t{64} << 10;

Result<Measurement> checked(Measurement measurement) {
  const bool known_origin =
      measurement.origin == "a capture" || measurement.origin == "a boot test";
  if (!is_release(measurement.kernel) || !is_profile(measurement.profile) || !known_origin ||
      !is_date(measurement.date)) {
    return fail(ErrorKind::kFailed, "kernel, profile, origin or date is not one");
  }
  if (measurement.kernel_bytes < kSmallest || measurement.peak_bytes < measurement.kernel_bytes ||
      measurement.peak_bytes > kLargest) {
    return fail(ErrorKind::kFailed, "no kernel takes {} bytes and {} at its peak",
                measurement.kernel_bytes, measurement.peak_bytes);
  }
  return measurement;
}

Result<std::string> date_of_stamp(const std::string& stamp) {
  if (stamp.size() < 12 || !is_number(stamp.substr(0, 12))) {
    return fail(ErrorKind::kFailed, "stamp is no date");
  }
  return fmt::format("{}-{}-{}", stamp.substr(0, 4), stamp.substr(4, 2), stamp.substr(6, 2));
}

// Of the capture kernel, in KiB.
struct MemoryOfReport {
  std::uint64_t map = 0, total = 0, free = 0, files = 0, lowest = 0;
};

MemoryOfReport read_memory(JsonObject& report, std::string& problem) {
  MemoryOfReport memory;
  const Json* member = report.find("memory");
  if (member == nullptr) return memory;
  JsonObject object(*member, report.path_of("memory"), problem);
  object.read("map_kib", memory.map);
  object.read("total_kib", memory.total);
  object.read("start_free_kib", memory.free);
  object.read("start_cached_kib", memory.files);
  object.read("lowest_available_kib", memory.lowest);
  return memory;
}

bool is_possible(const MemoryOfReport& memory) {
  return memory.map <= kLargest / kKiB && memory.total <= memory.map &&
         memory.free <= memory.total && memory.files <= memory.total - memory.free &&
         memory.lowest <= memory.total && memory.lowest > 0;
}

}  // namespace

Result<Measurement> measurement_from_report(std::string_view text, std::string_view origin) {
  KD_TRY(const Json json, parse_json(text, kMostBytes));
  std::string problem, result, image_kernel, stamp;
  JsonObject report(json, "", problem);
  Measurement measurement{.origin = std::string(origin)};
  report.expect_version(kVersion);
  report.read("result", result);
  report.read("kernel", measurement.kernel);
  report.read("profile", measurement.profile);
  report.read("image_kernel", image_kernel);
  report.read("stamp", stamp);
  const MemoryOfReport memory = read_memory(report, problem);
  if (!problem.empty()) return fail(ErrorKind::kFailed, "{}", problem);
  if (result != "saved") return fail(ErrorKind::kFailed, "the capture did not save a dump");
  if (image_kernel != measurement.kernel) {
    return fail(ErrorKind::kFailed, "it ran with another kernel than its image was built for");
  }
  if (!is_possible(memory)) {
    return fail(ErrorKind::kFailed, "its figures of memory contradict each other");
  }
  KD_TRY(measurement.date, date_of_stamp(stamp));
  const std::uint64_t map = memory.map * kKiB;
  // Where it lay nobody has told: the least is taken off that its map can have had.
  const std::uint64_t larger_map =
      memory_map(map - std::min(map, kLowMemory), kWell) - kMapOfMeasurements;
  measurement.kernel_bytes = map - (memory.free + memory.files) * kKiB - larger_map;
  measurement.peak_bytes = map - memory.lowest * kKiB - larger_map;
  return checked(std::move(measurement));
}

std::string measurement_to_json(const Measurement& measurement) {
  const Json json = {{"version", kVersion},
                     {"kernel", measurement.kernel},
                     {"profile", measurement.profile},
                     {"origin", measurement.origin},
                     {"date", measurement.date},
                     {"kernel_bytes", measurement.kernel_bytes},
                     {"peak_bytes", measurement.peak_bytes}};
  return json.dump(1) + "\n";
}

Result<Measurement> measurement_from_json(std::string_view text) {
  KD_TRY(const Json json, parse_json(text, kMostBytes));
  std::string problem;
  JsonObject object(json, "", problem);
  Measurement measurement;
  object.expect_version(kVersion);
  object.read("kernel", measurement.kernel);
  object.read("profile", measurement.profile);
  object.read("origin", measurement.origin);
  object.read("date", measurement.date);
  object.read("kernel_bytes", measurement.kernel_bytes);
  object.read("peak_bytes", measurement.peak_bytes);
  if (!problem.empty()) return fail(ErrorKind::kFailed, "{}", problem);
  return checked(std::move(measurement));
}

KernelMemory corrected(KernelMemory known, const Measurement& measurement, std::string_view version,
                       std::string_view profile) {
  if (!holds_for(measurement, version, profile)) return known;
  const std::uint64_t measured = measurement.kernel_bytes - kMapOfMeasurements;
  if (measured > known.capturing) {
    known.unpacking += measured - known.capturing;
    if (known.starting > 0) known.starting += measured - known.capturing;
  }
  known.capturing = std::max(measured, known.capturing - std::min(known.capturing, kMostLowered));
  known.measured_peak = measurement.peak_bytes;
  known.source = source_of(measurement) + (known.calibrated ? ", " + known.source : "");
  return known;
}

bool holds_for(const Measurement& measurement, std::string_view version, std::string_view profile) {
  return measurement.kernel == version && measurement.profile == profile;
}

std::string source_of(const Measurement& measurement) {
  return fmt::format("measured in {} on {}", measurement.origin, measurement.date);
}

}  // namespace kd
