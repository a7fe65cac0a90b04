// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/measurement.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "builder/fit/memory_model.h"

namespace kd {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr const char* kKernel = "6.1.0-56-amd64";

nlohmann::json report() {
  return {{"version", 1},
          {"result", "saved"},
          {"kernel", kKernel},
          {"image_kernel", kKernel},
          {"profile", "tuned"},
          {"stamp", "202611230317-1"},
          {"memory",
           {{"map_kib", 137 * 1024},
            {"total_kib", 80 * 1024},
            {"start_free_kib", 60 * 1024},
            {"start_cached_kib", 7 * 1024},
            {"lowest_available_kib", 50 * 1024}}}};
}

Result<Measurement> measure(const nlohmann::json& json) {
  return measurement_from_report(json.dump(), "a capture");
}

Measurement measured(std::uint64_t kernel, std::uint64_t peak) {
  return {.kernel = kKernel,
          .profile = "tuned",
          .origin = "a capture",
          .date = "2026-11-23",
          .kernel_bytes = kernel,
          .peak_bytes = peak};
}

const KernelMemory kTable{.source = "table", .unpacking = 71 * kMiB, .capturing = 63 * kMiB};

TEST(Measurement, LeavesOutTheFilesAndTheMapOfALargerReservation) {
  const Result<Measurement> result = measure(report());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->kernel_bytes, (137 - 60 - 7 - 2) * kMiB);
  EXPECT_EQ(result->peak_bytes, (137 - 50 - 2) * kMiB);
  EXPECT_EQ(result->date, "2026-11-23");
}

TEST(Measurement, RefusesWhatIsNotExactlyAsExpected) {
  const auto refused = [](const char* pointer, const nlohmann::json& value) {
    nlohmann::json changed = report();
    changed[nlohmann::json::json_pointer(pointer)] = value;
    return !measure(changed).has_value();
  };
  EXPECT_TRUE(refused("/version", 2));
  EXPECT_TRUE(refused("/result", "saved-with-retry"));
  EXPECT_TRUE(refused("/result", "unfinished"));
  EXPECT_TRUE(refused("/image_kernel", "6.12.0"));
  EXPECT_TRUE(refused("/profile", "my own"));
  EXPECT_TRUE(refused("/stamp", "yesterday"));
  EXPECT_TRUE(refused("/memory", 5));
  EXPECT_TRUE(refused("/memory/map_kib", -5));
  EXPECT_TRUE(refused("/memory/map_kib", "137"));
  EXPECT_TRUE(refused("/memory/map_kib", 1.5));
  EXPECT_TRUE(refused("/memory/map_kib", 1ULL << 63));
  EXPECT_TRUE(refused("/memory/total_kib", 138 * 1024));
  EXPECT_TRUE(refused("/memory/start_free_kib", 81 * 1024));
  EXPECT_TRUE(refused("/memory/start_cached_kib", 1ULL << 62));
  EXPECT_TRUE(refused("/memory/lowest_available_kib", 0));
  nlohmann::json path = report();
  path["kernel"] = path["image_kernel"] = "../../etc/passwd";
  EXPECT_FALSE(measure(path));
  EXPECT_FALSE(measurement_from_report("", "a capture"));
  EXPECT_FALSE(measurement_from_report("[]", "a capture"));
}

TEST(Measurement, HasTheProfileOfTheCapture) {
  nlohmann::json json = report();
  json["profile"] = "stock";
  EXPECT_EQ(measure(json)->profile, "stock");
  json.erase("profile");
  EXPECT_FALSE(measure(json)) << "nobody knows what it holds for";
}

TEST(Measurement, SurvivesItsFile) {
  const Measurement measurement = measured(64 * kMiB, 75 * kMiB);
  EXPECT_EQ(measurement_from_json(measurement_to_json(measurement)).value(), measurement);
  EXPECT_FALSE(measurement_from_json("{\"version\": 1}"));
  Measurement impossible = measurement;
  impossible.kernel_bytes = kMiB;
  EXPECT_FALSE(measurement_from_json(measurement_to_json(impossible))) << "below any kernel";
}

TEST(Measurement, MoreThanTheTableRaisesBothMoments) {
  // 4 MiB of what was measured are the memory map.
  const KernelMemory memory = corrected(kTable, measured(74 * kMiB, 84 * kMiB), kKernel, "tuned");
  EXPECT_EQ(memory.capturing, 70 * kMiB);
  EXPECT_EQ(memory.unpacking, 78 * kMiB);
  EXPECT_THAT(memory.source, HasSubstr("a capture on 2026-11-23"));
}

TEST(Measurement, LessLowersOnlyWhatWasMeasuredAndNotByMuch) {
  const KernelMemory memory = corrected(kTable, measured(20 * kMiB, 30 * kMiB), kKernel, "tuned");
  EXPECT_EQ(memory.capturing, kTable.capturing - kMostLowered);
  EXPECT_EQ(memory.unpacking, kTable.unpacking);
}

TEST(Measurement, HoldsForItsKernelAndProfileAlone) {
  const Measurement measurement = measured(70 * kMiB, 80 * kMiB);
  EXPECT_EQ(corrected(kTable, measurement, kKernel, "stock").source, "table");
  EXPECT_EQ(corrected(kTable, measurement, "6.1.0-57-amd64", "tuned").source, "table");
}

TEST(Measurement, PeakOfACaptureIsALowerBoundOfTheModel) {
  ModelInput input{.kernel = kTable, .reservation_end = 1024 * kMiB};
  const std::uint64_t before = predict(input).capture.total();
  input.kernel.measured_peak = before - 1;
  EXPECT_EQ(predict(input).capture.total(), before);
  input.kernel.measured_peak = 100 * kMiB;
  EXPECT_EQ(predict(input).capture.total(), 100 * kMiB);
  EXPECT_EQ(predict(input).needed, 100 * kMiB);
  // Across a border there is one section more, which that capture had not.
  input.reservation_end += 48 * kMiB;
  EXPECT_EQ(predict(input).needed, 102 * kMiB);
}

TEST(Measurement, TakesOffNoMoreThanTheMapMayHaveHad) {
  // 128M that start on a border, and low memory: as many sections as 73M.
  nlohmann::json json = report();
  json["memory"]["map_kib"] = (128 * 1024) + 632;
  EXPECT_EQ(measure(json)->peak_bytes, ((128 - 50) * kMiB) + (632 << 10));
}

}  // namespace
}  // namespace kd
