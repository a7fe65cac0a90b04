// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/boot_test.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "builder/fit/measurement.h"
#include "tests/base/fake_runner.h"
#include "tests/base/temporary_directory.h"
#include "tests/machine_fixture.h"

namespace kd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kSaved =
    R"({"version":1,"result":"saved","kernel":"6.1.0-56-amd64","image_kernel":"6.1.0-56-amd64","profile":"tuned",)"
    R"("stamp":"202611230317","memory":{"map_kib":98304,"total_kib":70000,"start_free_kib":20000,)"
    R"("start_cached_kib":7000,"lowest_available_kib":20480},"steps":[{"name":"dump",)"
    R"("end_ms":8200,"lowest_free_kib":19456,"lowest_available_kib":20480}]})";

class BootTest : public testing::Test {
 protected:
  BootTest() {
    ::setenv("TMPDIR", folder_.path().c_str(), 1);
    runner_.programs["mkfs.ext4"] = [](const auto&) { return ProgramOutcome{}; };
    runner_.programs["qemu-system-x86_64"] = [](const auto&) {
      return ProgramOutcome{1, "direct"};
    };
    runner_.programs["timeout"] = [this](const auto&) { return machine_; };
  }
  ~BootTest() override {
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "left behind";
    ::unsetenv("TMPDIR");
  }
  Result<BootTestResult> run() {
    return run_boot_test({.machine = facts_,
                          .kernel = "kernel",
                          .image = "image",
                          .command_line = "nr_cpus=1",
                          .reservation = std::uint64_t{96} << 20,
                          .left_out = left_out_,
                          .crash_init = "init",
                          .kvm = kvm_},
                         runner_);
  }
  void console(const std::string& after_panic) {
    machine_ = {0, "boot-test: panics now\n" + after_panic};
  }

  TemporaryDirectory folder_;
  MachineFacts facts_ = virtio_machine();
  FakeRunner runner_;
  ProgramOutcome machine_;
  bool kvm_ = false;
  std::vector<std::string> left_out_;
};

TEST_F(BootTest, SavedDumpPassesAndIsAMeasurement) {
  console(std::string(kSaved) + "\n");
  const Result<BootTestResult> result = run();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->passed);
  EXPECT_THAT(result->text, StartsWith("boot test with crashkernel=96M, emulated: PASS\n"));
  EXPECT_THAT(result->text, HasSubstr("dump             8.2        19         20"));
  const auto json = nlohmann::json::parse(result->json);
  EXPECT_EQ(json["passed"], true);
  EXPECT_EQ(json["accelerator"], "tcg");
  const Result<Measurement> measured = measurement_from_json(result->json);
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_EQ(measured->origin, "a boot test");
  EXPECT_EQ(runner_.names_called(), (std::vector<std::string>{"mkfs.ext4", "timeout"}));
  EXPECT_THAT(runner_.calls.back(), Contains(HasSubstr("crashkernel=98304K")));
}

TEST_F(BootTest, FailureSaysWhyAndIsNoMeasurement) {
  console("kdump: 3.3s target: FAILED: no device\n");
  const Result<BootTestResult> result = run();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->passed);
  EXPECT_THAT(result->text, HasSubstr("FAIL\n  no device\n"));
  EXPECT_EQ(nlohmann::json::parse(result->json)["problem"], "no device");
  EXPECT_FALSE(measurement_from_json(result->json));
}

TEST_F(BootTest, DumpThatNeededARetryDoesNotPass) {
  std::string report = kSaved;
  report.replace(report.find("saved"), 5, "saved-with-retry");
  console(report + "\n");
  EXPECT_FALSE(run()->passed);
}

TEST_F(BootTest, HostileReportFails) {
  console("{\"version\":1,\"steps\":[{\"name\":5}]}\n");
  EXPECT_FALSE(run()->passed);
  console("{\"version\": broken\n");
  EXPECT_FALSE(run()->passed);
}

TEST_F(BootTest, MachineThatHangsFails) {
  machine_ = {137, "boot-test: panics now\n"};
  const Result<BootTestResult> result = run();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->passed);
  EXPECT_THAT(result->text, HasSubstr("not done after 300 s"));
}

TEST_F(BootTest, WithoutAllLayersItIsNoMeasurement) {
  console(std::string(kSaved) + "\n");
  left_out_ = {"LVM", "raid1"};
  const Result<BootTestResult> result = run();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->passed);
  EXPECT_THAT(result->text, HasSubstr("left out: LVM, raid1;"));
  EXPECT_FALSE(measurement_from_json(result->json));
}

TEST_F(BootTest, EmulatesWhereKvmDoesNotWork) {
  kvm_ = true;
  for (const ProgramOutcome& broken :
       {ProgramOutcome{134, "failed MSR"}, ProgramOutcome{137, ""}}) {
    runner_.programs["timeout"] = [&broken](const std::vector<std::string>& argv) {
      if (std::ranges::find(argv, "kvm") != argv.end()) return broken;
      return ProgramOutcome{0, std::string("boot-test: panics now\n") + kSaved};
    };
    const Result<BootTestResult> result = run();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->passed);
    EXPECT_EQ(nlohmann::json::parse(result->json)["accelerator"], "tcg") << broken.status;
  }
}

TEST_F(BootTest, MissingProgramNamesItsPackage) {
  for (const auto& [program, package] :
       {std::pair{"qemu-system-x86_64", "qemu-system-x86"}, std::pair{"mkfs.ext4", "e2fsprogs"}}) {
    FakeRunner::Program removed = std::exchange(runner_.programs[program], nullptr);
    runner_.programs.erase(program);
    const Result<BootTestResult> result = run();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, ErrorKind::kProgramMissing);
    EXPECT_THAT(result.error().message, HasSubstr(std::string("apt install ") + package));
    runner_.programs[program] = std::move(removed);
  }
}

TEST_F(BootTest, ProgramThatFailsIsAnErrorWithItsOutput) {
  machine_ = {1, "Could not access KVM"};
  EXPECT_THAT(run().error().message, HasSubstr("Could not access KVM"));
  runner_.programs["mkfs.ext4"] = [](const auto&) { return ProgramOutcome{1, "no space"}; };
  EXPECT_THAT(run().error().message, HasSubstr("no space"));
}

}  // namespace
}  // namespace kd
