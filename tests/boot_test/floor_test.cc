// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/floor.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "tests/base/fake_runner.h"
#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kPayload = 8 * kMiB;
constexpr std::uint64_t kMap = 4 * kMiB;  // page structs of two sections

// A kernel of which everything is known, KiB.
struct FakeKernel {
  std::uint64_t unpacking = 66 << 10, starting = 68 << 10, running = 60 << 10;
  std::uint64_t lost = 900;       // of a reservation, to ELF headers
  std::uint64_t boot_is_off = 0;  // more in use in a boot than in a crash
};

std::string argument(const std::vector<std::string>& argv, const std::string& option) {
  const auto at = std::ranges::find(argv, option);
  return at == argv.end() ? "" : *(at + 1);
}

std::uint64_t number_in(const std::string& line, const char* pattern) {
  std::smatch match;
  return std::regex_search(line, match, std::regex(pattern)) ? std::stoull(match[1]) : 0;
}

class FindFloor : public testing::Test {
 protected:
  FindFloor() {
    ::setenv("TMPDIR", folder_.path().c_str(), 1);
    runner_.programs["qemu-system-x86_64"] = [](const auto&) {
      return ProgramOutcome{1, "direct"};
    };
    runner_.programs["timeout"] = [this](const auto& argv) { return run_machine(argv); };
  }
  ~FindFloor() override {
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "left behind";
    ::unsetenv("TMPDIR");
  }
  Result<Floor> find(bool kvm = false) {
    return find_floor({.kernel = "kernel",
                       .command_line = "nr_cpus=1",
                       .crash_init = "crash",
                       .floor_init = "floor",
                       .guess = 70 * kMiB,
                       .kvm = kvm},
                      runner_, [this](const std::string& line) { said_ += line + '\n'; });
  }

  ProgramOutcome run_machine(const std::vector<std::string>& argv) {
    const std::string line = argument(argv, "-append");
    const bool crash = line.find("crashkernel=") != std::string::npos;
    const std::uint64_t seen = crash ? number_in(line, R"(crashkernel=(\d+)K@256M)") - kernel_.lost
                                     : number_in(line, R"(memmap=(\d+)K@16M)");
    const bool full = std::filesystem::file_size(argument(argv, "-initrd")) > kPayload;
    const std::uint64_t payload = full ? kPayload / 1024 : 0;
    ++(crash ? crashes_ : boots_);
    const std::uint64_t needed =
        std::max(kernel_.unpacking + 2 * payload, kernel_.starting + payload) - kernel_.lost;
    if (seen < needed) return {0, "Kernel panic - not syncing: out of memory\n"};
    const std::uint64_t map = seen + 639;
    const std::uint64_t in_use = kernel_.running + (crash ? 0 : kernel_.boot_is_off) - kernel_.lost;
    return {0, fmt::format("floor: map_kib={} start_free_kib={} start_cached_kib={}\r\n", map,
                           map - in_use - payload, payload)};
  }

  TemporaryDirectory folder_;
  FakeRunner runner_;
  FakeKernel kernel_;
  std::string said_;
  unsigned boots_ = 0, crashes_ = 0;
};

TEST_F(FindFloor, TellsTheMomentsApart) {
  const Result<Floor> floor = find();
  ASSERT_TRUE(floor) << floor.error().message;
  EXPECT_EQ(floor->unpacking, 66 * kMiB - kMap);
  EXPECT_EQ(floor->starting, 68 * kMiB - kMap);
  EXPECT_NEAR(static_cast<double>(floor->capturing), 56.0 * kMiB, 1.0 * kMiB);
  EXPECT_FALSE(floor->kvm);
}

TEST_F(FindFloor, AddsWhatAReservationLoses) {
  kernel_.lost = 0;
  const std::uint64_t without = find()->starting;
  kernel_.lost = 900;
  EXPECT_EQ(find()->starting, without) << "the fake counts it in its needs";
}

TEST_F(FindFloor, ConfirmsByPanicsAndSearchesWithoutThem) {
  const Result<Floor> floor = find();
  ASSERT_TRUE(floor);
  EXPECT_EQ(floor->crashes, crashes_);
  EXPECT_EQ(floor->boots, boots_);
  EXPECT_EQ(crashes_, 5U) << "one to compare, two for each floor";
  EXPECT_LE(boots_, 14U);
}

TEST_F(FindFloor, PanicsWhereABootIsNotLikeACrash) {
  kernel_.boot_is_off = 2048;
  const Result<Floor> floor = find();
  ASSERT_TRUE(floor) << floor.error().message;
  EXPECT_EQ(boots_, 1U);
  EXPECT_EQ(floor->starting, 68 * kMiB - kMap);
  EXPECT_THAT(said_, HasSubstr("every try is a panic"));
}

TEST_F(FindFloor, FindsAKernelFarFromTheGuess) {
  for (const std::uint64_t starting : {40U << 10, 92U << 10}) {
    kernel_ = {.unpacking = starting, .starting = starting, .running = starting - 2000};
    const Result<Floor> floor = find();
    ASSERT_TRUE(floor) << floor.error().message;
    EXPECT_EQ(floor->starting, starting * 1024 - kMap);
  }
}

TEST_F(FindFloor, SaysWhyAKernelDoesNotStart) {
  kernel_.starting = 300 << 10;
  const Result<Floor> floor = find();
  ASSERT_FALSE(floor);
  EXPECT_THAT(floor.error().message, HasSubstr("94 MiB: Kernel panic - not syncing"));
}

TEST_F(FindFloor, EmulatesWhereKvmDoesNotWork) {
  runner_.programs["timeout"] = [this](const auto& argv) {
    if (std::ranges::find(argv, "kvm") != argv.end()) return ProgramOutcome{1, "no kvm"};
    return run_machine(argv);
  };
  const Result<Floor> floor = find(true);
  ASSERT_TRUE(floor) << floor.error().message;
  EXPECT_FALSE(floor->kvm);
  runner_.programs["timeout"] = [this](const auto& argv) { return run_machine(argv); };
  EXPECT_TRUE(find(true)->kvm);
}

TEST_F(FindFloor, MissingQemuNamesItsPackage) {
  runner_.programs.erase("qemu-system-x86_64");
  const Result<Floor> floor = find();
  ASSERT_FALSE(floor);
  EXPECT_EQ(floor.error().kind, ErrorKind::kProgramMissing);
  EXPECT_THAT(floor.error().message, HasSubstr("apt install qemu-system-x86"));
}

TEST(FloorReport, IsReadFromTheLastLineOfInit) {
  const auto report = parse_floor_report(
      "[ 1.0] boot\r\nfloor: map_kib=98304 start_free_kib=37116 start_cached_kib=24\r\nreboot\n");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->map, 98304U);
  EXPECT_EQ(report->free, 37116U);
  EXPECT_EQ(report->cached, 24U);
  EXPECT_EQ(report->in_use(), 98304U - 37116U - 24U);
}

TEST(FloorReport, RefusesFiguresThatCannotBe) {
  for (const char* text :
       {"", "floor: map_kib=", "floor: map_kib=98304 start_free_kib=1",
        "floor: map_kib=98304 start_free_kib=99000 start_cached_kib=0",
        "floor: map_kib=98304 start_free_kib=90000 start_cached_kib=9000",
        "floor: map_kib=98304 start_free_kib=-1 start_cached_kib=0",
        "floor: map_kib=99999999999999999999 start_free_kib=1 start_cached_kib=0",
        "floor: map_kib=99999999999999 start_free_kib=1 start_cached_kib=0"}) {
    EXPECT_FALSE(parse_floor_report(text)) << text;
  }
}

TEST(BootCommandLine, HasAsManySectionsAsACrash) {
  // 16 to 86 MiB is in the section of the first 640 KiB; one more makes two, as in a crash.
  EXPECT_THAT(
      boot_command_line("a=1", 70 * kMiB),
      EndsWith("a=1 nokaslr memmap=exactmap memmap=639K@0 memmap=71680K@16M memmap=4K@128M"));
  // 16 to 136 MiB is in two already.
  EXPECT_THAT(boot_command_line("a=1", 120 * kMiB), Not(HasSubstr("memmap=4K")));
  EXPECT_THAT(boot_command_line("a=1", 200 * kMiB), EndsWith(" memmap=4K@256M"));
}

}  // namespace
}  // namespace kd
