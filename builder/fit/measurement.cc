// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/measurement.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace kd {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// The reservation at which the table was measured.
constexpr std::uint64_t kUsualMap = 73 * kMiB;
constexpr std::uint64_t kMapShare = 4096 / 64;  // struct page has 64 bytes
// No Linux that can save a dump needs less, and nobody reserves more.
constexpr std::uint64_t kSmallest = 16 * kMiB;
constexpr std::uint64_t kLargest = std::uint64_t{64} * 1024 * kMiB;
constexpr int kVersion = 1;

Result<Json> object_of(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(ErrorKind::kFailed, "not a JSON object");
  const auto version = json.find("version");
  if (version == json.end() || *version != kVersion) {
    return fail(ErrorKind::kFailed, "not version {} of its format", kVersion);
  }
  return json;
}

Result<std::string> text_at(const Json& json, const char* key) {
  const auto value = json.find(key);
  if (value == json.end() || !value->is_string()) {
    return fail(ErrorKind::kFailed, "{} is not a text", key);
  }
  return value->get<std::string>();
}

Result<std::uint64_t> number_at(const Json& json, const char* key, std::uint64_t unit) {
  const auto value = json.find(key);
  if (value == json.end() || !value->is_number_unsigned() ||
      value->get<std::uint64_t>() > kLargest / unit) {
    return fail(ErrorKind::kFailed, "{} is not a number of bytes in memory", key);
  }
  return value->get<std::uint64_t>() * unit;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// One path component, as releases are.
bool is_release(std::string_view text) {
  const auto ok = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(".-+_~").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 64 && is_number(text.substr(0, 1)) &&
         std::ranges::all_of(text, ok);
}

bool is_date(std::string_view text) {
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && is_number(text.substr(0, 4)) &&
         is_number(text.substr(5, 2)) && is_number(text.substr(8, 2));
}

Result<Measurement> checked(Measurement measurement) {
  const bool known_profile = measurement.profile == "tuned" || measurement.profile == "stock";
  const bool known_origin =
      measurement.origin == "a capture" || measurement.origin == "a boot test";
  if (!is_release(measurement.kernel) || !known_profile || !known_origin ||
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

Result<std::string> date_of_stamp(const Json& json) {
  KD_TRY(const std::string stamp, text_at(json, "stamp"));
  if (stamp.size() < 12 || !is_number(stamp.substr(0, 12))) {
    return fail(ErrorKind::kFailed, "stamp is no date");
  }
  return fmt::format("{}-{}-{}", stamp.substr(0, 4), stamp.substr(4, 2), stamp.substr(6, 2));
}

}  // namespace

Result<Measurement> measurement_from_report(std::string_view text, std::string_view origin) {
  KD_TRY(const Json json, object_of(text));
  KD_TRY(const std::string result, text_at(json, "result"));
  if (result != "saved") return fail(ErrorKind::kFailed, "the capture did not save a dump");
  Measurement measurement{.origin = std::string(origin)};
  KD_TRY(measurement.kernel, text_at(json, "kernel"));
  KD_TRY(measurement.profile, text_at(json, "profile"));
  KD_TRY(const std::string image_kernel, text_at(json, "image_kernel"));
  if (image_kernel != measurement.kernel) {
    return fail(ErrorKind::kFailed, "it ran with another kernel than its image was built for");
  }
  KD_TRY(measurement.date, date_of_stamp(json));

  const Json memory = json.value("memory", Json::object());
  if (!memory.is_object()) return fail(ErrorKind::kFailed, "memory is not an object");
  KD_TRY(const std::uint64_t map, number_at(memory, "map_kib", kKiB));
  KD_TRY(const std::uint64_t total, number_at(memory, "total_kib", kKiB));
  KD_TRY(const std::uint64_t free, number_at(memory, "start_free_kib", kKiB));
  KD_TRY(const std::uint64_t files, number_at(memory, "start_cached_kib", kKiB));
  KD_TRY(const std::uint64_t lowest, number_at(memory, "lowest_available_kib", kKiB));
  if (total > map || free + files > total || lowest > total || lowest == 0) {
    return fail(ErrorKind::kFailed, "its figures of memory contradict each other");
  }
  const std::uint64_t larger_map = (std::max(map, kUsualMap) - kUsualMap) / kMapShare;
  measurement.kernel_bytes = map - free - files - larger_map;
  measurement.peak_bytes = map - lowest - larger_map;
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
  KD_TRY(const Json json, object_of(text));
  Measurement measurement;
  KD_TRY(measurement.kernel, text_at(json, "kernel"));
  KD_TRY(measurement.profile, text_at(json, "profile"));
  KD_TRY(measurement.origin, text_at(json, "origin"));
  KD_TRY(measurement.date, text_at(json, "date"));
  KD_TRY(measurement.kernel_bytes, number_at(json, "kernel_bytes", 1));
  KD_TRY(measurement.peak_bytes, number_at(json, "peak_bytes", 1));
  return checked(std::move(measurement));
}

KernelMemory corrected(KernelMemory known, const Measurement& measurement, std::string_view version,
                       std::string_view profile) {
  if (measurement.kernel != version || measurement.profile != profile) return known;
  const std::uint64_t measured = measurement.kernel_bytes;
  if (measured > known.capturing) known.unpacking += measured - known.capturing;
  known.capturing = std::max(measured, known.capturing - std::min(known.capturing, kMostLowered));
  known.measured_peak = measurement.peak_bytes;
  known.source = fmt::format("measured in {} on {}", measurement.origin, measurement.date);
  return known;
}

}  // namespace kd
