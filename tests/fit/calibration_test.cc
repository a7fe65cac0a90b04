// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/calibration.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "builder/fit/measurement.h"
#include "builder/fit/memory_model.h"

namespace kd {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
const CalibratedKernel kKernel{.release = "6.1.0-56-amd64",
                               .profile = "tuned",
                               .kernel_digest = "0123456789abcdef0123456789abcdef",
                               .command_line_digest = "fedcba9876543210fedcba9876543210"};
const Calibration kCalibration{.kernel = kKernel,
                               .date = "2026-11-28",
                               .accelerator = "tcg",
                               .unpacking = 66 * kMiB,
                               .starting = 68 * kMiB,
                               .capturing = 60 * kMiB,
                               .margin = kMiB};
const KernelMemory kTable{.source = "table", .unpacking = 75 * kMiB, .capturing = 70 * kMiB};

TEST(Calibration, SurvivesItsFile) {
  EXPECT_EQ(calibration_from_json(calibration_to_json(kCalibration)).value(), kCalibration);
}

TEST(Calibration, RefusesWhatIsNotExactlyAsExpected) {
  const auto refused = [](const char* member, const nlohmann::json& value) {
    nlohmann::json json = nlohmann::json::parse(calibration_to_json(kCalibration));
    json[member] = value;
    return !calibration_from_json(json.dump()).has_value();
  };
  EXPECT_FALSE(refused("date", "2026-11-29"));
  EXPECT_TRUE(refused("version", 2));
  EXPECT_TRUE(refused("kernel", "../../etc/passwd"));
  EXPECT_TRUE(refused("profile", "my own"));
  EXPECT_TRUE(refused("kernel_digest", "0123"));
  EXPECT_TRUE(refused("command_line_digest", std::string(32, 'g')));
  EXPECT_TRUE(refused("date", "yesterday"));
  EXPECT_TRUE(refused("accelerator", "none"));
  EXPECT_TRUE(refused("unpacking_bytes", kMiB));
  EXPECT_TRUE(refused("starting_bytes", 2048 * kMiB));
  EXPECT_TRUE(refused("capturing_bytes", 69 * kMiB)) << "more than before init memory is freed";
  EXPECT_TRUE(refused("margin_bytes", -1));
  EXPECT_TRUE(refused("margin_bytes", 100 * kMiB));
  EXPECT_FALSE(calibration_from_json(""));
  EXPECT_FALSE(calibration_from_json("[]"));
}

TEST(Calibration, TakesThePlaceOfTheTableInBothDirections) {
  const KernelMemory memory = calibrated(kTable, kCalibration, kKernel);
  EXPECT_EQ(memory.unpacking, 67 * kMiB);
  EXPECT_EQ(memory.starting, 69 * kMiB);
  EXPECT_EQ(memory.capturing, 61 * kMiB);
  EXPECT_THAT(memory.source, HasSubstr("calibrated in QEMU on 2026-11-28"));
}

TEST(Calibration, LeavesWhatTheDevicesOfTheMachineTake) {
  KernelMemory known = kTable;
  known.devices = 3 * kMiB;
  const KernelMemory memory = calibrated(known, kCalibration, kKernel);
  EXPECT_EQ(memory.unpacking, (67 + 3) * kMiB);
  EXPECT_EQ(memory.capturing, (61 + 3) * kMiB);
  EXPECT_THAT(memory.source, HasSubstr("3.0 MiB for the devices of this machine"));
}

TEST(Calibration, HoldsForItsKernelAndCommandLineAlone) {
  for (std::string CalibratedKernel::*member :
       {&CalibratedKernel::release, &CalibratedKernel::profile, &CalibratedKernel::kernel_digest,
        &CalibratedKernel::command_line_digest}) {
    CalibratedKernel other = kKernel;
    other.*member += "0";
    EXPECT_EQ(calibrated(kTable, kCalibration, other).source, "table");
  }
}

TEST(Calibration, HasMoreMarginWhereTheKernelLiesElsewhereEachTime) {
  EXPECT_EQ(calibration_margin("nr_cpus=1 nokaslr"), kCalibrationMargin);
  EXPECT_EQ(calibration_margin("nr_cpus=1 xnokaslr"), kCalibrationMargin + kRandomPlaceMargin);
}

TEST(Calibration, IsCorrectedByACaptureThatTookMore) {
  const Measurement capture{.kernel = kKernel.release,
                            .profile = "tuned",
                            .origin = "a capture",
                            .date = "2026-11-30",
                            .kernel_bytes = (63 + 4) * kMiB,  // 4 are the memory map
                            .peak_bytes = 72 * kMiB};
  const KernelMemory memory =
      corrected(calibrated(kTable, kCalibration, kKernel), capture, kKernel.release, "tuned");
  EXPECT_EQ(memory.capturing, 63 * kMiB);
  EXPECT_EQ(memory.unpacking, 69 * kMiB);
  EXPECT_EQ(memory.starting, 71 * kMiB);
  EXPECT_EQ(memory.source, "measured in a capture on 2026-11-30, calibrated in QEMU on 2026-11-28");
}

TEST(Calibration, TheLargerOfItsMomentsDecides) {
  ModelInput input{.variant = kVariants[1], .kernel = calibrated(kTable, kCalibration, kKernel)};
  input.reservation_end = 1024 * kMiB;  // a memory map of 4 MiB
  input.image_size = kMiB;
  EXPECT_EQ(predict(input).unpack.name, "starting init");
  EXPECT_EQ(predict(input).unpack.total(), (69 + 1 + 4) * kMiB) << "the initrd is freed by then";
  input.image_size = 4 * kMiB;
  EXPECT_EQ(predict(input).unpack.name, "unpacking");
  EXPECT_EQ(predict(input).unpack.total(), (67 + 2 * 4 + 4) * kMiB);
}

TEST(Calibration, LiesBesideTheImage) {
  EXPECT_EQ(calibration_path("/var/lib/kdump/initrd.img-6.1", "6.1"),
            "/var/lib/kdump/calibrated-6.1.json");
}

}  // namespace
}  // namespace kd
