// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/learn.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include "builder/base/digest.h"
#include "builder/fit/calibration.h"
#include "builder/init/report.h"
#include "builder/policy/command_line.h"
#include "hooks/estimate.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::HasSubstr;

constexpr const char* kKept = "var/lib/kdump/measured-6.1.0-56-amd64.json";

class Learn : public testing::Test {
 protected:
  void put_report(const std::string& stamp, const std::string& result, int lowest = 50000,
                  const std::string& profile = "tuned") {
    machine_.root.write(
        "var/crash/" + stamp + "/kdump-report.json",
        fmt::format(R"({{"version": 1, "result": "{}", "kernel": "{}", "image_kernel": "{}",
                        "profile": "{}",
                        "stamp": "{}", "memory": {{"map_kib": 131056, "total_kib": 76300,
                        "start_free_kib": 57000, "start_cached_kib": 7000,
                        "lowest_available_kib": {}}}}})",
                    result, kRunning, kRunning, profile, stamp, lowest));
  }
  Result<void> learn_now() {
    return learn(machine_.context(), *read_kdump_config(machine_.reader()));
  }
  std::string kept() { return machine_.reader().read("/" + std::string(kKept)).value_or(""); }

  FakeMachine machine_;
};

TEST_F(Learn, TakesTheNewestCaptureThatSaved) {
  put_report("202601010000", "saved");
  put_report("202611230317", "saved");
  put_report("202611230317-1", "saved");
  put_report("202611240000", "unfinished");
  machine_.root.write("var/crash/202612010000/kdump-report.json", "garbage");
  ASSERT_TRUE(learn_now());
  EXPECT_THAT(kept(), HasSubstr("\"date\": \"2026-11-23\""));
  EXPECT_THAT(machine_.said, HasSubstr("202611230317-1/kdump-report.json"));
  const auto mode = std::filesystem::status(machine_.root.path(kKept)).permissions();
  EXPECT_EQ(static_cast<unsigned>(mode), 0600U);
}

// A world-writable /var/crash is common, and what is learned decides on the image.
TEST_F(Learn, TakesNothingFromOtherUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a directory of somebody else";
  put_report("202611230317", "saved");
  put_report("202611240317", "saved");
  put_report("202611250317", "saved");
  const std::string crash = machine_.root.path("var/crash/");
  ASSERT_EQ(::chown((crash + "202611250317").c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chown((crash + "202611240317/kdump-report.json").c_str(), 65534, 65534), 0);
  std::filesystem::create_directory_symlink(crash + "202611240317", crash + "202612010000");
  ASSERT_TRUE(learn_now());
  EXPECT_THAT(machine_.said, HasSubstr("202611230317/kdump-report.json"));
}

TEST_F(Learn, TakesAReportOnce) {
  put_report("202611230317", "saved");
  ASSERT_TRUE(learn_now());
  machine_.said.clear();
  ASSERT_TRUE(learn_now());
  EXPECT_EQ(machine_.said, "");
}

// The newest dump may be gone, by hand or because it was a rehearsal's.
TEST_F(Learn, AnOlderCaptureTakesNothingBack) {
  put_report("202311230317", "saved");
  ASSERT_TRUE(learn_now());
  std::filesystem::remove_all(machine_.root.path("var/crash/202311230317"));
  put_report("202301230317", "saved");
  ASSERT_TRUE(learn_now());
  EXPECT_THAT(kept(), HasSubstr("2023-11-23"));
}

TEST_F(Learn, AClockThatWasWrongIsNotTheNewestForEver) {
  put_report("299911230317", "saved");
  ASSERT_TRUE(learn_now());
  std::filesystem::remove_all(machine_.root.path("var/crash/299911230317"));
  put_report("202301230317", "saved");
  ASSERT_TRUE(learn_now());
  EXPECT_THAT(kept(), HasSubstr("2023-01-23"));
}

TEST_F(Learn, NothingToLearnFromIsNoError) {
  EXPECT_TRUE(learn_now());
  put_report("202611230317", "saved", 0);
  machine_.root.write("var/crash/202611230318/kdump-report.json", std::string(100'000, ' '));
  EXPECT_TRUE(learn_now());
  EXPECT_EQ(kept(), "");
}

TEST_F(Learn, AProfileThatWasChangedSinceTheCrashGetsNoFiguresOfTheOther) {
  KdumpConfig changed;
  changed.cmdline_profile = "stock";
  put_report("202611230317", "saved", 50000, "tuned");
  ASSERT_TRUE(learn(machine_.context(), changed));
  EXPECT_THAT(kept(), HasSubstr("\"profile\": \"tuned\""));
  EXPECT_THAT(memory_source(machine_.reader(), changed, kRunning),
              HasSubstr("as measured for Linux"));
}

TEST_F(Learn, LoadLearnsAndSourceSaysSo) {
  const KdumpConfig config;
  EXPECT_THAT(memory_source(machine_.reader(), config, kRunning), HasSubstr("Linux 6.1"));
  put_report("202611230317", "saved");
  ASSERT_TRUE(learn_now());
  EXPECT_EQ(memory_source(machine_.reader(), config, kRunning),
            "measured in a capture on 2026-11-23");
  KdumpConfig other;
  other.cmdline_profile = "stock";
  EXPECT_EQ(memory_source(machine_.reader(), other, kRunning), "as measured for Linux 6.1")
      << "it was another command line";
}

TEST_F(Learn, SourceSaysWhatWasCalibrated) {
  const std::string vmlinuz = std::string("/boot/vmlinuz-") + kRunning;
  machine_.root.write(vmlinuz.substr(1), "kernel");
  const Calibration calibration{.kernel = {.release = kRunning,
                                           .profile = "tuned",
                                           .kernel_digest = digest("kernel"),
                                           .command_line_digest = digest("nr_cpus=1")},
                                .date = "2026-11-28",
                                .accelerator = "kvm",
                                .unpacking = std::uint64_t{66} << 20,
                                .starting = std::uint64_t{68} << 20,
                                .capturing = std::uint64_t{60} << 20,
                                .margin = kCalibrationMargin};
  machine_.root.write("var/lib/kdump/calibrated-6.1.0-56-amd64.json",
                      calibration_to_json(calibration));
  const auto source = [&](const std::string& file, const char* line) {
    return memory_source(machine_.reader(), {}, kRunning, file, line);
  };
  EXPECT_EQ(source(vmlinuz, "nr_cpus=1"), "calibrated in QEMU on 2026-11-28");
  EXPECT_THAT(source(vmlinuz, "nr_cpus=2"), HasSubstr("as measured for Linux 6.1"));
  EXPECT_THAT(source("", "nr_cpus=1"), HasSubstr("as measured for Linux 6.1"));
  machine_.root.write(vmlinuz.substr(1), "rebuilt");
  EXPECT_THAT(source(vmlinuz, "nr_cpus=1"), HasSubstr("as measured for Linux 6.1"));
}

TEST(Profile, IsToldFromTheCommandLineThatItMade) {
  const auto told = [](const char* profile, const char* kernel, bool rootfs, std::string append) {
    const CaptureCommandLine line = capture_command_line({.running = "ro quiet",
                                                          .fixed = {},
                                                          .append = std::move(append),
                                                          .profile = profile,
                                                          .rootfs = rootfs,
                                                          .kernel = kernel});
    return std::string(kdinit::profile_of(line.text + " elfcorehdr=0x1000\n"));
  };
  for (const char* kernel : {"6.1.0-56-amd64", "6.12.117+deb13-amd64", "7.3.4+deb14-amd64"}) {
    for (const bool rootfs : {false, true}) {
      EXPECT_EQ(told("tuned", kernel, rootfs, ""), "tuned") << kernel;
      EXPECT_EQ(told("stock", kernel, rootfs, ""), "stock") << kernel;
      EXPECT_EQ(told("tuned", kernel, rootfs, "nr_cpus=1 numa=off"), "stock") << kernel;
    }
  }
  EXPECT_EQ(kdinit::profile_of("percpu_alloc=page numa=off hest_disable"), "tuned");
  EXPECT_EQ(kdinit::profile_of("percpu_alloc=page numa=offline hest_disable"), "stock");
  EXPECT_EQ(kdinit::profile_of(""), "stock");
}

TEST(Estimate, RecommendsMoreThanIsNeededAndSaysWhy) {
  const auto report = [](int needed) {
    return fmt::format(R"({{"kernel": "6.1", "target": "ext4 on vda", "fit": {{
      "needed_bytes": {}, "reservation_bytes": 134217728, "peaks": [{{"name": "unpacking",
      "bytes": 1048576, "terms": [{{"name": "decoder", "bytes": 1048576, "source": "window"}}]}}
      ]}}}})",
                       needed << 20);
  };
  const Estimate estimate = estimate_of(report(89), report(83), false).value();
  EXPECT_TRUE(estimate.text.starts_with("crashkernel=104M\n")) << estimate.text;
  EXPECT_THAT(estimate.text, HasSubstr("83M with the layout \"packed\""));
  EXPECT_THAT(estimate.text, testing::ContainsRegex("decoder +1.0  window"));
  EXPECT_EQ(estimate.need.bytes, std::uint64_t{89} << 20);
  const Estimate root = estimate_of(report(115), report(115), true).value();
  EXPECT_TRUE(root.text.starts_with("crashkernel=192M\n")) << root.text;
  EXPECT_FALSE(estimate_of("{}", "{}", false));
  EXPECT_FALSE(estimate_of("", "", false));
}

}  // namespace
}  // namespace kd
