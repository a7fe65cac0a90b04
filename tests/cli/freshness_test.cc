// SPDX-License-Identifier: GPL-2.0-or-later
//
// An image is fresh when exactly it would be built now.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "builder/fit/measurement.h"
#include "tests/cli/build_fixture.h"

namespace kd {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST_F(BuildTest, FreshImageIsNotBuiltAgain) {
  ASSERT_EQ(build().exit_code, 0);
  struct stat before {};
  stat(image().c_str(), &before);
  EXPECT_EQ(build({"--check"}).exit_code, 0);
  const RunResult again = build();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.out, HasSubstr("fresh"));
  struct stat after {};
  stat(image().c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
  ASSERT_EQ(build({"--force"}).exit_code, 0);
  stat(image().c_str(), &after);
  EXPECT_NE(before.st_ino, after.st_ino);
}

TEST_F(BuildTest, CheckSaysWhyAnImageIsStale) {
  EXPECT_EQ(build({"--check"}).exit_code, 10) << "no image yet";
  ASSERT_EQ(build().exit_code, 0);
  write_text(config(), "USE_KDUMP=1\nMAKEDUMP_ARGS=\"-l -d 31\"\n");
  const RunResult config_changed = build({"--check"});
  EXPECT_EQ(config_changed.exit_code, 10);
  EXPECT_THAT(config_changed.out, HasSubstr("kdump-init.conf"));
  write_text(config(), "USE_KDUMP=1\n");
  EXPECT_EQ(build({"--check"}).exit_code, 0) << "changed back";

  MachineFacts moved = virtio_machine();
  moved.dump_mount.uuid = "99999999-2222-3333-4444-555555555555";
  use_machine(moved);
  EXPECT_EQ(build({"--check"}).exit_code, 10);
  use_machine(virtio_machine());

  write_text(image(), "overwritten");
  EXPECT_EQ(build({"--check"}).exit_code, 10);
}

// A volume that was made anew has the name of before and another id. What its segments are today is
// not in the image: init reads it.
TEST_F(BuildTest, CheckSeesAnotherVolumeButNotAnotherNumberOrLayoutOfTheSame) {
  const auto on_volume = [this](const char* device, const char* id, const char* layout) {
    MachineFacts machine = virtio_machine();
    machine.dump_mount.source = "/dev/mapper/vg-crash";
    machine.dump_mount.device = device;
    machine.devices.insert(
        machine.devices.begin(),
        {.name = device,
         .kind = BlockKind::kDeviceMapper,
         .layer = "LVM",
         .below = {"vda"},
         .chain = {},
         .volume = LogicalVolume{"aaaaaa-0000-1111-2222-3333-4444-bbbbbb", id, layout, ""}});
    use_machine(machine);
  };
  const char* id = "cccccc-0000-0000-0000-0000-0000-000001";
  on_volume("dm-0", id, "linear");
  const RunResult built = build();
  ASSERT_EQ(built.exit_code, 0) << built.err;
  on_volume("dm-3", id, "linear, striped");
  EXPECT_EQ(build({"--check"}).exit_code, 0);
  on_volume("dm-0", "cccccc-0000-0000-0000-0000-0000-000002", "linear");
  const RunResult check = build({"--check"});
  EXPECT_EQ(check.exit_code, 10);
  EXPECT_THAT(check.out, HasSubstr("kdump-init.conf"));
}

// Of the first run, built or fresh, that leaves the layout to the program.
TEST_F(BuildTest, ForcedLayoutDoesNotStick) {
  ASSERT_EQ(build({"--variant", "packed", "--crashkernel", "512M"}).exit_code, 0);
  EXPECT_EQ(build({"--variant", "packed", "--crashkernel", "512M", "--check"}).exit_code, 0);
  const RunResult check = build({"--crashkernel", "512M", "--check"});
  EXPECT_EQ(check.exit_code, 10);
  EXPECT_THAT(check.out, AllOf(HasSubstr("layout: \"packed\" is now \"whole\""),
                               HasSubstr("asked for was \"packed\", is none")));
  ASSERT_EQ(build({"--crashkernel", "512M"}).exit_code, 0);
  EXPECT_EQ(build({"--variant", "whole", "--crashkernel", "512M", "--verify"}).exit_code, 0);
}

TEST_F(BuildTest, ForcedLayoutThatIsTakenAnywayStaysFresh) {
  ASSERT_EQ(build({"--variant", "packed", "--crashkernel", "40M"}).exit_code, 0);
  EXPECT_EQ(build({"--crashkernel", "40M", "--check"}).exit_code, 0);
}

TEST_F(BuildTest, ForcedCompressionAndLevelDoNotStick) {
  for (const std::vector<std::string>& forced :
       {std::vector<std::string>{"-l", "9"}, {"-c", "gzip"}, {"-c", "gzip", "-l", "2"}}) {
    std::vector<std::string> check = forced;
    check.emplace_back("--check");
    ASSERT_EQ(build(forced).exit_code, 0);
    EXPECT_EQ(build(check).exit_code, 0);
    const RunResult unforced = build({"--check"});
    EXPECT_EQ(unforced.exit_code, 10) << forced[1];
    EXPECT_THAT(unforced.out, HasSubstr("level"));
    ASSERT_EQ(build().exit_code, 0);
    EXPECT_EQ(build({"--check"}).exit_code, 0);
  }
}

TEST_F(BuildTest, CompressionOfAWholeImageDoesNotMakeAPackedOneStale) {
  ASSERT_EQ(build({"--crashkernel", "40M"}).exit_code, 0);
  EXPECT_EQ(build({"--crashkernel", "40M", "-l", "9", "--check"}).exit_code, 0);
}

TEST_F(BuildTest, ManifestKeepsWhatWasAskedFor) {
  const auto asked = [this] {
    return nlohmann::json::parse(read_file(image() + ".manifest"))["asked"];
  };
  ASSERT_EQ(build({"--variant", "whole", "-c", "gzip", "-l", "2"}).exit_code, 0);
  EXPECT_EQ(asked(),
            nlohmann::json({{"variant", "whole"}, {"compression", "gzip"}, {"level", "2"}}));
  ASSERT_EQ(build().exit_code, 0);
  EXPECT_EQ(asked(), nlohmann::json({{"variant", ""}, {"compression", ""}, {"level", ""}}));
}

// A packed image on disk that fits, and a whole one that nobody built and would not.
TEST_F(BuildTest, StrictJudgesTheImageOnDisk) {
  const auto needed = [this](const char* variant) {
    const RunResult result = build({"--dry-run", "--json", "--variant", variant});
    return nlohmann::json::parse(result.out)["fit"]["needed_bytes"].get<std::uint64_t>();
  };
  const std::uint64_t whole = needed("whole"), packed = needed("packed");
  const std::string between = std::to_string((whole + packed) / 2);
  ASSERT_EQ(build({"--variant", "whole", "--crashkernel", between}).exit_code, 0);
  const RunResult fresh = build({"--variant", "whole", "--crashkernel", between, "--strict"});
  EXPECT_EQ(fresh.exit_code, 4);
  EXPECT_THAT(fresh.err, HasSubstr("does not fit"));
  EXPECT_EQ(
      build({"--variant", "whole", "--crashkernel", between, "--strict", "--check"}).exit_code, 4);
  ASSERT_EQ(build({"--variant", "packed", "--crashkernel", between}).exit_code, 0);
  EXPECT_EQ(build({"--variant", "packed", "--crashkernel", between, "--strict"}).exit_code, 0);
  EXPECT_EQ(build({"--crashkernel", between, "--strict"}).exit_code, 0);
  // By what the finished image needs, which is written beside it, not by an estimate of its size.
  const auto manifest = nlohmann::json::parse(read_file(image() + ".manifest"));
  const auto exact = manifest["needed"].get<std::uint64_t>();
  EXPECT_EQ(build({"--crashkernel", std::to_string(exact), "--strict"}).exit_code, 0);
  EXPECT_EQ(build({"--crashkernel", std::to_string(exact - 1), "--strict"}).exit_code, 4);
}

// Whatever kernel it runs on, makedumpfile filters the memory of the one that crashed.
TEST_F(BuildTest, ImageForAnotherKernelThatCrashesHasItsDumpLevel) {
  ASSERT_EQ(build({"--crashed-kernel", "6.0.0-1-amd64"}).exit_code, 0);
  EXPECT_THAT(read_file(image() + ".manifest"), HasSubstr("\"crashed_kernel\": \"6.0.0-1-amd64\""));
  EXPECT_EQ(build({"--check", "--crashed-kernel", "6.0.0-1-amd64"}).exit_code, 0);
  // Up to 1.7.9 makedumpfile filters from 7.1 on wrong.
  const RunResult newer = build({"--check", "--crashed-kernel", "7.3.4-amd64"});
  EXPECT_EQ(newer.exit_code, 10);
  EXPECT_THAT(newer.out, HasSubstr("kdump-init.conf"));
  const RunResult built = build({"--crashed-kernel", "7.3.4-amd64"});
  EXPECT_THAT(built.out, HasSubstr("with kernel 7.3.4-amd64: the dump is made with -d 17"));
}

class MeasuredBuildTest : public BuildTest {
 protected:
  // In use at the start and at the peak.
  void measure(const char* date, std::uint64_t kernel, std::uint64_t peak) const {
    write_text(boot_test_path(image()), measurement_to_json({.kernel = kernel_.version,
                                                             .profile = "tuned",
                                                             .origin = "a boot test",
                                                             .date = date,
                                                             .kernel_bytes = kernel,
                                                             .peak_bytes = peak}));
  }
  [[nodiscard]] std::string manifest() const { return read_file(image() + ".manifest"); }
};

TEST_F(MeasuredBuildTest, MeasurementOfAnotherDayLeavesTheImageFresh) {
  measure("2026-11-23", 80 * kMiB, 90 * kMiB);
  ASSERT_EQ(build().exit_code, 0);
  measure("2026-11-24", 80 * kMiB, 90 * kMiB);
  EXPECT_EQ(build({"--check"}).exit_code, 0);
  EXPECT_THAT(manifest(), HasSubstr("2026-11-23"));
  // A build that finds nothing to do keeps the words in step.
  const std::string before = read_file(image());
  EXPECT_THAT(build().out, HasSubstr("not built again"));
  EXPECT_THAT(manifest(), HasSubstr("2026-11-24"));
  EXPECT_EQ(read_file(image()), before);
  EXPECT_EQ(build({"--check"}).exit_code, 0);
}

TEST_F(MeasuredBuildTest, MeasurementWithTheSameOutcomeLeavesTheImageFresh) {
  measure("2026-11-23", 80 * kMiB, 90 * kMiB);
  ASSERT_EQ(build().exit_code, 0);
  measure("2026-11-24", 80 * kMiB, 90 * kMiB + 1);
  EXPECT_EQ(build({"--check"}).exit_code, 0);
}

TEST_F(MeasuredBuildTest, MeasurementWithAnotherOutcomeMakesTheImageStale) {
  ASSERT_EQ(build().exit_code, 0);
  measure("2026-11-23", 120 * kMiB, 130 * kMiB);
  const RunResult needs_more = build({"--check"});
  EXPECT_EQ(needs_more.exit_code, 10);
  EXPECT_THAT(needs_more.out, HasSubstr("measured in a boot test on 2026-11-23"));
  fs::remove(boot_test_path(image()));
  EXPECT_EQ(build({"--check"}).exit_code, 0);

  ASSERT_EQ(build({"--crashkernel", "110M"}).exit_code, 0);
  measure("2026-11-23", 120 * kMiB, 130 * kMiB);
  EXPECT_THAT(build({"--check", "--crashkernel", "110M"}).out,
              HasSubstr("layout: \"whole\" is now \"packed\""));
}

// A tree with makedumpfile and all it needs, as ldd names it.
class OtherRoot : public BuildTest {
 protected:
  void SetUp() override {
    BuildTest::SetUp();
    if (IsSkipped()) return;
    const std::string files =
        run({"sh", "-c", "ldd \"$(command -v makedumpfile)\" | grep -o '/[^ ]*'"}).out;
    std::istringstream lines(files + "/usr/bin/makedumpfile\n");
    for (std::string file; std::getline(lines, file);) {
      fs::create_directories(fs::path(root() + file).parent_path());
      fs::copy_file(fs::canonical(file), root() + file);
    }
  }
  [[nodiscard]] std::string root() const { return scratch_.path("root"); }
  [[nodiscard]] RunResult build_here(std::vector<std::string> more = {}) const {
    fs::create_directories(root() + "/etc/default");
    fs::copy_file(config(), root() + "/etc/default/kdump-tools",
                  fs::copy_options::overwrite_existing);
    std::vector<std::string> words = command({"--sysroot", root()});
    *std::find(words.begin(), words.end(), config()) = "/etc/default/kdump-tools";
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  // Puts the text of another version into the program.
  void replace_version(const std::string& version) const {
    std::string program = read_file(root() + "/usr/bin/makedumpfile");
    const std::string mark = "makedumpfile: version ";
    const std::size_t at = program.find(mark);
    ASSERT_NE(at, std::string::npos);
    program.replace(at + mark.size(), version.size(), version);
    write_text(root() + "/usr/bin/makedumpfile", program);
  }
};

TEST_F(OtherRoot, ProgramThatWasReplacedMakesTheImageStale) {
  ASSERT_EQ(build_here().exit_code, 0) << build_here().err;
  ASSERT_EQ(build_here({"--check"}).exit_code, 0);
  EXPECT_THAT(build_here({"--list", "--json"}).out, Not(HasSubstr("-d 17")));
  replace_version("0.7.2");
  const RunResult replaced = build_here({"--check"});
  EXPECT_EQ(replaced.exit_code, 10);
  EXPECT_THAT(replaced.out, AllOf(HasSubstr("bin/makedumpfile"), HasSubstr("kdump-init.conf")));
  // And the new image has the level that is safe with it.
  const RunResult built = build_here();
  EXPECT_EQ(built.exit_code, 0) << built.err;
  EXPECT_THAT(built.out, HasSubstr("-d 17 in place of -d 31"));
  EXPECT_EQ(build_here({"--check"}).exit_code, 0);
}

}  // namespace
}  // namespace kd
