// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/init/capture_fixture.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

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
  config.sysctls.push("kernel/printk=1 2 3");
  config.sysctls.push("net/ipv4/conf/eth0.1/forwarding=0");
  system.sysctl_error = ENOENT;
  run();
  EXPECT_THAT(system.sysctls, ElementsAre("/proc/sys/kernel/printk=1 2 3",
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

TEST_F(CaptureTest, MembersOfOneFileSystemAreMountedOnce) {
  system.devices = {"/dev/sda", "/dev/sdb"};
  system.members = 2;
  config.target = {.type = "btrfs", .uuid = "0c9b", .options = "subvol=/@"};
  run();
  EXPECT_THAT(system.mounts, ElementsAre("/dev/sda btrfs subvol=/@"));
  EXPECT_EQ(report.result, Result::kSaved);
}

TEST_F(CaptureTest, FileSystemWithoutAMemberIsMountedDegraded) {
  system.members = 2;
  config.target = {.type = "btrfs", .uuid = "0c9b", .options = "subvol=/@"};
  run();
  EXPECT_THAT(system.mounts, ElementsAre("/dev/sda1 btrfs degraded,subvol=/@"));
  EXPECT_THAT(system.console, HasSubstr("1 of its 2 devices are missing"));
  EXPECT_EQ(report.result, Result::kSaved);
}

TEST_F(CaptureTest, FileSystemThatCannotDoWithoutAMemberSaysSo) {
  system.members = 3;
  system.mount_errors["/dev/sda1"] = EINVAL;
  config.target = {.type = "btrfs", .uuid = "0c9b", .options = ""};
  run();
  EXPECT_THAT(system.mounts, ElementsAre("/dev/sda1 btrfs degraded"));
  EXPECT_THAT(system.console, HasSubstr("cannot be mounted without 2 of its 3 devices"));
  EXPECT_EQ(report.failed_step(), "mount");
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

TEST_F(CaptureTest, RehearsalSaysSoAndNoOldDumpGoesForIt) {
  config.keep_dumps = 1;
  root.write("target/var/crash/202301010000/dump", "old");
  // The mark lies across two of the blocks in which the log is read.
  system.log = std::string(1010, 'x') + "\n[    9.1] kdump-config: rehearsal 1b4e28ba-2fa1-11d2\n";
  run();
  EXPECT_TRUE(std::filesystem::exists(root.path("target/var/crash/202301010000/dump")));
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_EQ(saved_report()["rehearsal"], true);
  EXPECT_THAT(system.console, HasSubstr("this is a rehearsal"));
}

// It may be a rehearsal.
TEST_F(CaptureTest, NoOldDumpGoesForOneWhoseLogCouldNotBeRead) {
  config.keep_dumps = 1;
  root.write("target/var/crash/202301010000/dump", "old");
  system.dmesg_result = exit_code(1);
  run();
  EXPECT_EQ(report.result, Result::kSaved);
  EXPECT_TRUE(std::filesystem::exists(root.path("target/var/crash/202301010000/dump")));
}

TEST_F(CaptureTest, OldDumpsGoWhereNoLogIsWanted) {
  config.keep_dumps = 1;
  config.skip_dmesg = true;
  root.write("target/var/crash/202301010000/dump", "old");
  run();
  EXPECT_FALSE(std::filesystem::exists(root.path("target/var/crash/202301010000")));
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
