// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/capture.h"

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr const char* kStamp = "202401020304";

// A machine on which everything works until told otherwise. makedumpfile writes its last argument.
class FakeSystem final : public System {
 public:
  explicit FakeSystem(const TemporaryDirectory& root) : root_(root) {}

  void tick() override {}
  std::uint64_t now_ms() override { return clock_ += 7; }
  std::time_t wall_clock() override { return 1704164640; }  // 2024-01-02 03:04 UTC
  Memory memory() override { return {.total = 100000, .free = 80000, .available = 70000}; }
  Memory take_lowest_memory() override {
    return {.total = 100000, .free = 30000, .available = 20000};
  }
  void print(std::string_view text) override { console += text; }
  int write_sysctl(const char* path, std::string_view value) override {
    sysctls.push_back(std::string(path) + "=" + std::string(value));
    return sysctl_error;
  }
  int load_module(const char* path, const char* options) override {
    modules.push_back(std::string(path) + " " + options);
    return module_errors[path];
  }
  bool wait_for_target(const TargetQuery&, Candidates& found) override {
    found.seen.put("sda -, sdb xfs 1234");
    for (const std::string& device : devices) found.items[found.count++].device.put(device);
    return found.count > 0;
  }
  int unpack(const char* path) override {
    unpacked.emplace_back(path);
    return unpack_error;
  }
  int mount(const char* device, const char*, const char* type, const char* options,
            MountUse) override {
    mounts.push_back(std::string(device) + " " + type + " " + options);
    return mount_errors[device];
  }
  int unmount(const char*) override {
    ++unmounts;
    return unmount_error;
  }
  ChildResult run(const Command& command) override {
    Text<1024> line;
    command.arguments.describe(line);
    commands.emplace_back(line.view());
    const std::string output = commands.back().substr(commands.back().rfind(' ') + 1);
    ChildResult result;
    if (commands.back().find("--dump-dmesg") != std::string::npos) {
      result = dmesg_result;
    } else if (!dump_results.empty()) {
      result = dump_results.front();
      dump_results.erase(dump_results.begin());
    }
    if (on_run) on_run(output);
    if (output_appears) std::ofstream(output) << "line 1\nline 2\n";
    if (!outputs.empty() && output.ends_with("dump-incomplete")) {
      std::ofstream(output) << outputs.front();
      outputs.erase(outputs.begin());
    }
    if (report_is_blocked) {
      std::filesystem::create_directories(output.substr(0, output.rfind('/')) +
                                          "/kdump-report.json");
    }
    result.max_rss = 4000;
    return result;
  }
  int free_bytes(const char*, std::uint64_t& bytes) override {
    bytes = free;
    return 0;
  }
  bool is_full(const char*) override {
    ++full_asked;
    return full;
  }

  std::string console;
  std::vector<std::string> sysctls, modules, mounts, commands;
  std::vector<std::string> devices = {"/dev/sda1"};
  std::map<std::string, int> module_errors, mount_errors;
  std::vector<std::string> unpacked;
  int unpack_error = 0;
  int sysctl_error = 0;
  int unmount_error = 0;
  int unmounts = 0;
  ChildResult dmesg_result;
  std::vector<ChildResult> dump_results;  // one for each run; success once they are used up
  std::function<void(const std::string& output)> on_run;  // before the output appears
  bool output_appears = true;
  std::vector<std::string> outputs;  // of the dumps; the usual one once they are used up
  bool report_is_blocked = false;    // by a directory of its name
  std::uint64_t free = std::uint64_t{1} << 40;
  bool full = false;
  int full_asked = 0;

 private:
  const TemporaryDirectory& root_;
  std::uint64_t clock_ = 1000;
};

ChildResult exit_code(int code) {
  ChildResult result;
  result.exit_code = code;
  return result;
}

class CaptureTest : public ::testing::Test {
 protected:
  CaptureTest() {
    root.write("vmcore", std::string(1000, 'v'));
    std::filesystem::create_directories(root.path("tmp"));
    config.kernel = "6.1.0";
    config.target.type = "ext4";
    config.target.uuid = "1234";
    config.dump_directory = "/var/crash";
    config.dump_arguments.push("-c");
    config.retry_arguments.push("-d");
    config.final_action = FinalAction::kPoweroff;
    config.failure_action = FinalAction::kHalt;
  }
  void run() {
    const std::string mount_point = root.path("target"), vmcore = root.path("vmcore"),
                      temporary = root.path("tmp");
    std::filesystem::create_directories(mount_point);
    run_capture(config, system, {mount_point, vmcore, temporary}, report);
  }
  static std::string in_run(const std::string& name) {
    return std::string("target/var/crash/") + kStamp + "/" + name;
  }
  [[nodiscard]] std::vector<std::string> names_in_run() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(root.path(in_run("")))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  nlohmann::json saved_report() const {
    return nlohmann::json::parse(root.read(in_run("kdump-report.json")));
  }
  TemporaryDirectory root;
  FakeSystem system{root};
  InitConfig config;
  Report report;
  nlohmann::json before_stall;
};

TEST_F(CaptureTest, SavesLogThenDumpAndLeavesNoTemporaryFile) {
  run();
  ASSERT_THAT(system.commands, SizeIs(2));
  EXPECT_THAT(system.commands[0], HasSubstr("--dump-dmesg"));
  EXPECT_THAT(system.commands[1], StartsWith("makedumpfile -c " + root.path("vmcore")));
  EXPECT_THAT(names_in_run(),
              UnorderedElementsAre("dmesg.202401020304", "dump.202401020304", "kdump-report.json"));
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_EQ(system.unmounts, 1);
  EXPECT_EQ(action_after(config, report.result), FinalAction::kPoweroff);
  const nlohmann::json json = saved_report();
  EXPECT_EQ(json["result"], "saved");
  EXPECT_EQ(json["failed_step"], "");
  EXPECT_EQ(json["dump_bytes"], 14);
  EXPECT_EQ(json["memory"]["lowest_free_kib"], 30000);
  EXPECT_EQ(json["memory"]["makedumpfile_max_rss_kib"], 4000);
}

TEST_F(CaptureTest, EveryLineSaysKdumpTheTimeAndTheStep) {
  run();
  std::istringstream lines(system.console);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, ::testing::MatchesRegex("kdump: [0-9]+\\.[0-9][0-9][0-9]s [a-z]+: .+"));
  }
}

TEST_F(CaptureTest, SysctlsAreWrittenAndFailuresIgnored) {
  config.sysctls.push("vm.nr_hugepages=0");
  config.sysctls.push("kernel/printk=1 2 3");
  config.sysctls.push("net.ipv4.conf.eth0/1.forwarding=0");
  config.sysctls.push("net/ipv4/conf/eth0.1/forwarding=0");
  system.sysctl_error = ENOENT;
  run();
  EXPECT_THAT(system.sysctls,
              ElementsAre("/proc/sys/vm/nr_hugepages=0", "/proc/sys/kernel/printk=1 2 3",
                          "/proc/sys/net/ipv4/conf/eth0.1/forwarding=0",
                          "/proc/sys/net/ipv4/conf/eth0.1/forwarding=0"));
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_EQ(report.failed_step(), "");
}

TEST_F(CaptureTest, FailedModuleIsNamedAndTheOthersAreLoaded) {
  config.modules.push({.path = "/a.ko", .options = "x=1"});
  config.modules.push({.path = "/b.ko", .options = ""});
  system.module_errors["/a.ko"] = ENOEXEC;
  run();
  EXPECT_THAT(system.modules, ElementsAre("/a.ko x=1", "/b.ko "));
  EXPECT_THAT(system.console, HasSubstr("/a.ko: Exec format error"));
  EXPECT_EQ(report.modules_loaded, 1u);
  EXPECT_EQ(report.modules_failed, 1u);
  EXPECT_EQ(report.result, Result::kSaved);
}

TEST_F(CaptureTest, WithoutVmcoreNothingIsMounted) {
  std::filesystem::remove(root.path("vmcore"));
  run();
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_EQ(report.failed_step(), "vmcore");
  EXPECT_THAT(system.mounts, IsEmpty());
  EXPECT_THAT(system.commands, IsEmpty());
  EXPECT_EQ(action_after(config, report.result), FinalAction::kHalt);
}

TEST_F(CaptureTest, MissingTargetListsWhatWasSeenAndShowsTheLog) {
  system.devices.clear();
  run();
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_EQ(report.failed_step(), "target");
  EXPECT_THAT(system.console, HasSubstr("block devices seen: sda -, sdb xfs 1234\n"));
  EXPECT_THAT(system.console, HasSubstr("\nline 1\nline 2\n"));
  EXPECT_THAT(system.console, HasSubstr("\"result\": \"failed\""));
  EXPECT_EQ(system.unmounts, 0);
}

TEST_F(CaptureTest, SecondDeviceIsTriedWhenTheFirstCannotBeMounted) {
  system.devices = {"/dev/sda1", "/dev/sdb1"};
  system.mount_errors["/dev/sda1"] = EUCLEAN;
  config.target.options = "data=ordered";
  run();
  EXPECT_THAT(system.mounts,
              ElementsAre("/dev/sda1 ext4 data=ordered", "/dev/sdb1 ext4 data=ordered"));
  EXPECT_THAT(system.console, HasSubstr("2 devices have this UUID"));
  EXPECT_EQ(report.result, Result::kSaved);
}

TEST_F(CaptureTest, FailedMountGivesTheReasonAndShowsTheLog) {
  for (const auto& [error, hint] :
       {std::pair{EROFS, "write-protected"}, std::pair{EACCES, "write-protected"},
        std::pair{EUCLEAN, "run fsck"}, std::pair{ENODEV, "module of the file system"}}) {
    system.mount_errors["/dev/sda1"] = error;
    system.console.clear();
    report.failure_count = 0;
    run();
    EXPECT_EQ(report.failures[report.failure_count - 1].step, "mount");
    EXPECT_EQ(report.result, Result::kFailed);
    EXPECT_THAT(system.console, HasSubstr(hint));
    EXPECT_THAT(system.console, HasSubstr("line 2"));
  }
  EXPECT_EQ(system.unmounts, 0);
}

TEST_F(CaptureTest, DirectoryThatCannotBeCreatedShowsTheLogAndUnmounts) {
  root.write("target/var", "a file where a directory has to be");
  run();
  EXPECT_EQ(report.failed_step(), "directory");
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_THAT(system.console, HasSubstr("cannot create /var/crash/202401020304: Not a directory"));
  EXPECT_THAT(system.console, HasSubstr("line 2"));
  EXPECT_EQ(system.unmounts, 1);
}

TEST_F(CaptureTest, FailedLogDoesNotStopTheDump) {
  system.dmesg_result = exit_code(1);
  run();
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_EQ(saved_report()["failed_step"], "dmesg");
  EXPECT_EQ(saved_report()["dmesg_saved"], false);
}

TEST_F(CaptureTest, FailedLogLeavesNothingThatLooksLikeOne) {
  system.dmesg_result = exit_code(1);
  run();
  EXPECT_THAT(names_in_run(), UnorderedElementsAre("dump.202401020304", "kdump-report.json"));
}

TEST_F(CaptureTest, LogIsCompleteWhenItHasItsName) {
  system.on_run = [this](const std::string& output) {
    if (system.commands.size() > 1) return;
    EXPECT_THAT(output, EndsWith("/dmesg-incomplete"));
    EXPECT_FALSE(std::filesystem::exists(root.path(in_run("dmesg.202401020304"))));
  };
  run();
  EXPECT_EQ(root.read(in_run("dmesg.202401020304")), "line 1\nline 2\n");
}

TEST_F(CaptureTest, LogThatCannotBePublishedIsAFailedLog) {
  config.dmesg_only = true;
  system.on_run = [this](const std::string&) {
    std::filesystem::create_directories(root.path(in_run("dmesg.202401020304/in-the-way")));
  };
  run();
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_THAT(system.console, HasSubstr("dmesg.202401020304: Is a directory"));
  EXPECT_FALSE(std::filesystem::exists(root.path(in_run("dmesg-incomplete"))));
}

TEST_F(CaptureTest, FailedDumpIsTriedOnceMoreWithTheRetryArguments) {
  system.dump_results = {exit_code(1)};
  run();
  ASSERT_THAT(system.commands, SizeIs(3));
  EXPECT_THAT(system.commands[2], StartsWith("makedumpfile -d "));
  EXPECT_EQ(report.result, Result::kSavedWithRetry);
  EXPECT_EQ(saved_report()["failed_step"], "dump");
  EXPECT_EQ(saved_report()["error"], "makedumpfile ended with exit code 1");
  EXPECT_EQ(action_after(config, report.result), FinalAction::kPoweroff);
}

TEST_F(CaptureTest, TwoFailedDumpsThatWroteNothingLeaveTheLog) {
  system.dump_results = {exit_code(1), exit_code(1)};
  system.outputs = {"", ""};
  run();
  EXPECT_EQ(report.result, Result::kDmesgOnly);
  EXPECT_TRUE(std::filesystem::exists(root.path(in_run("dmesg.202401020304"))));
  EXPECT_FALSE(std::filesystem::exists(root.path(in_run("dump.202401020304"))));
  EXPECT_EQ(saved_report()["result"], "dmesg-only");
  EXPECT_EQ(action_after(config, report.result), FinalAction::kHalt);
}

TEST_F(CaptureTest, EveryFailureIsInTheReport) {
  system.dmesg_result = exit_code(2);
  system.dump_results = {exit_code(3), exit_code(4)};
  run();
  const nlohmann::json failures = saved_report()["failures"];
  ASSERT_EQ(failures.size(), 3u);
  EXPECT_EQ(failures[0]["step"], "dmesg");
  EXPECT_EQ(failures[1]["error"], "makedumpfile ended with exit code 3");
  EXPECT_EQ(failures[2]["error"], "makedumpfile ended with exit code 4");
}

TEST_F(CaptureTest, WhatAFailedDumpHasWrittenIsKept) {
  system.dump_results = {exit_code(1), exit_code(1)};
  system.outputs = {"pages of the first", "pages"};
  run();
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_THAT(names_in_run(),
              UnorderedElementsAre("dmesg.202401020304", "dump-incomplete", "kdump-report.json"));
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "pages of the first") << "the larger of both";
  EXPECT_EQ(saved_report()["incomplete_bytes"], 18);
  EXPECT_EQ(saved_report()["dump_file"], "");
  EXPECT_EQ(action_after(config, report.result), FinalAction::kHalt);
}

TEST_F(CaptureTest, SecondTryThatSavesLeavesNothingOfTheFirst) {
  system.dump_results = {exit_code(1)};
  system.outputs = {"pages of the first", "whole"};
  run();
  EXPECT_EQ(report.result, Result::kSavedWithRetry);
  EXPECT_THAT(names_in_run(),
              UnorderedElementsAre("dmesg.202401020304", "dump.202401020304", "kdump-report.json"));
  EXPECT_EQ(root.read(in_run("dump.202401020304")), "whole");
}

TEST_F(CaptureTest, DiskThatStallsIsNotWrittenToAnyMore) {
  ChildResult stalled;
  stalled.stalled = true;
  stalled.signal = 9;
  system.dump_results = {stalled};
  system.on_run = [this](const std::string& output) {
    if (output.ends_with("dump-incomplete")) before_stall = saved_report();
  };
  run();
  EXPECT_THAT(system.commands, SizeIs(2)) << "no second try";
  EXPECT_EQ(system.full_asked, 0) << "it would write to the disk";
  EXPECT_EQ(saved_report(), before_stall);
  EXPECT_EQ(system.unmounts, 0) << "it would wait for the disk";
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "line 1\nline 2\n");
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_THAT(system.console, HasSubstr("does not answer, here is kdump-report.json"));
  EXPECT_THAT(system.console, HasSubstr("\"result\": \"incomplete\""));
}

TEST_F(CaptureTest, DiskThatStallsWithTheLogGetsNoDump) {
  system.dmesg_result.stalled = true;
  run();
  EXPECT_THAT(system.commands, SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(root.path(in_run("dmesg-incomplete"))));
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_EQ(system.unmounts, 0);
}

TEST_F(CaptureTest, WithoutRetryArgumentsThereIsNoRetry) {
  config.retry_arguments = {};
  system.dump_results = {exit_code(1)};
  run();
  EXPECT_THAT(system.commands, SizeIs(2));
  EXPECT_EQ(report.result, Result::kIncomplete);
}

TEST_F(CaptureTest, NothingSavedIsFailed) {
  system.dmesg_result = exit_code(1);
  system.outputs = {"", ""};
  system.dump_results = {exit_code(1), exit_code(1)};
  run();
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_EQ(saved_report()["result"], "failed");
}

TEST_F(CaptureTest, UnwantedLogIsSavedAfterAllWhenTheDumpFails) {
  config.skip_dmesg = true;
  system.outputs = {"", ""};
  system.dump_results = {exit_code(1), exit_code(1)};
  run();
  ASSERT_THAT(system.commands, SizeIs(3));
  EXPECT_THAT(system.commands[2], HasSubstr("--dump-dmesg"));
  EXPECT_EQ(report.result, Result::kDmesgOnly);
}

TEST_F(CaptureTest, OutOfMemoryIsSaid) {
  ChildResult killed;
  killed.signal = 9;
  system.dump_results = {killed};
  run();
  EXPECT_THAT(system.console, HasSubstr("ran out of memory, raise crashkernel="));
}

TEST_F(CaptureTest, FullTargetIsSaidBeforeAndAfter) {
  system.free = 4096;
  system.full = true;
  root.write("vmcore", std::string(100000, 'v'));
  system.dump_results = {exit_code(1)};
  run();
  EXPECT_THAT(system.console, HasSubstr("WARNING: less than a tenth"));
  EXPECT_THAT(saved_report()["error"].get<std::string>(), HasSubstr("the target is full"));
}

TEST_F(CaptureTest, DumpThatFillsTheTargetIsKeptWithoutALargerTry) {
  system.full = true;
  system.dump_results = {exit_code(1)};
  run();
  EXPECT_THAT(system.commands, SizeIs(2));
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "line 1\nline 2\n");
}

TEST_F(CaptureTest, FirstReportHasRoomForTheLast) {
  std::uint64_t first = 0;
  system.on_run = [&](const std::string& output) {
    if (output.ends_with("dump-incomplete")) first = root.read(in_run("kdump-report.json")).size();
  };
  run();
  EXPECT_GE(first, kMaxReportBytes - 1) << "so that a full disk can take it";
  EXPECT_LT(root.read(in_run("kdump-report.json")).size(), kMaxReportBytes / 2);
}

TEST_F(CaptureTest, DumpThatCannotBePublishedIsKept) {
  system.on_run = [this](const std::string&) {
    std::filesystem::create_directories(root.path(in_run("dump.202401020304/in-the-way")));
  };
  run();
  EXPECT_EQ(report.result, Result::kIncomplete);
  EXPECT_EQ(root.read(in_run("dump-incomplete")), "line 1\nline 2\n");
  EXPECT_THAT(system.commands, SizeIs(2)) << "a disk that fails to sync gets no second dump";
}

TEST_F(CaptureTest, DumpThatCannotBePublishedIsAFailedDump) {
  system.output_appears = false;
  run();
  EXPECT_EQ(report.result, Result::kFailed);
  EXPECT_THAT(system.console, HasSubstr("dump.202401020304: No such file or directory"));
}

TEST_F(CaptureTest, DmesgOnlyRunsNoDump) {
  config.dmesg_only = true;
  run();
  EXPECT_THAT(system.commands, SizeIs(1));
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_EQ(action_after(config, report.result), FinalAction::kPoweroff);
}

TEST_F(CaptureTest, OldDumpsGoOnlyAfterASuccess) {
  config.keep_dumps = 1;
  root.write("target/var/crash/202301010000/dump", "old");
  system.dump_results = {exit_code(1), exit_code(1)};
  run();
  EXPECT_TRUE(std::filesystem::exists(root.path("target/var/crash/202301010000/dump")));
}

TEST_F(CaptureTest, OldDumpsGoAfterASuccess) {
  config.keep_dumps = 1;
  root.write("target/var/crash/202301010000/dump", "old");
  run();
  EXPECT_FALSE(std::filesystem::exists(root.path("target/var/crash/202301010000")));
  EXPECT_TRUE(std::filesystem::exists(root.path(in_run("dump.202401020304"))));
  EXPECT_THAT(system.console, HasSubstr("deleted old dumps: 202301010000"));
}

TEST_F(CaptureTest, RunWithinTheSameMinuteKeepsBothDumps) {
  run();
  Report second;
  const std::string mount_point = root.path("target"), vmcore = root.path("vmcore"),
                    temporary = root.path("tmp");
  FakeSystem other(root);
  run_capture(config, other, {mount_point, vmcore, temporary}, second);
  EXPECT_TRUE(std::filesystem::exists(root.path(in_run("dump.202401020304"))));
  EXPECT_TRUE(
      std::filesystem::exists(root.path("target/var/crash/202401020304-1/dump.202401020304-1")));
  EXPECT_EQ(second.result, Result::kSaved);
}

TEST_F(CaptureTest, ReportGoesToTheConsoleWhenItCannotBeWritten) {
  system.report_is_blocked = true;
  run();
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_THAT(system.console, HasSubstr("cannot write kdump-report.json: Is a directory"));
  EXPECT_THAT(system.console, HasSubstr("\"result\": \"saved\""));
}

TEST_F(CaptureTest, FailedUnmountKeepsTheResult) {
  system.unmount_error = EBUSY;
  run();
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_EQ(report.failed_step(), "unmount");
  EXPECT_THAT(system.console, HasSubstr("cannot unmount cleanly"));
}

TEST_F(CaptureTest, PackedProgramsAreUnpackedBeforeTheFirstIsRun) {
  config.packed.push("/bin/makedumpfile.xz");
  config.packed.push("/lib/libc.so.6.xz");
  run();
  EXPECT_THAT(system.unpacked, ElementsAre("/bin/makedumpfile.xz", "/lib/libc.so.6.xz"));
  EXPECT_EQ(report.result, Result::kSaved);
}

TEST_F(CaptureTest, FailedUnpackingIsNamedAndTheRestIsTried) {
  config.packed.push("/bin/makedumpfile.xz");
  system.unpack_error = EBADMSG;
  run();
  EXPECT_EQ(report.failed_step(), "unpack");
  EXPECT_THAT(system.console, HasSubstr("/bin/makedumpfile.xz"));
  EXPECT_THAT(system.commands, SizeIs(2));
}

}  // namespace
}  // namespace kdinit
