// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/handover.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "builder/init/capture.h"
#include "builder/init/directory.h"
#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Everything works until `errors` has an errno value for the call.
class FakeRoot final : public RootSystem {
 public:
  void tick() override {}
  std::uint64_t now_ms() override { return 1000; }
  std::time_t wall_clock() override { return 1704164640; }
  Memory memory() override { return {.total = 100, .free = 50, .available = 40}; }
  Memory take_lowest_memory() override { return memory(); }
  void print(std::string_view text) override { console += text; }
  int write_sysctl(const char* path, std::string_view value) override {
    return call(std::string("write ") + path + " " + std::string(value));
  }
  int load_module(const char* path, const char*) override {
    return call(std::string("load ") + path);
  }
  int unpack(const char*) override { return 0; }
  bool wait_for_target(const TargetQuery& query, Candidates& found) override {
    found.seen.put("sda -");
    if (call("wait " + std::string(query.uuid))) return false;
    found.items[found.count++].device.put("/dev/", query.uuid);
    return true;
  }
  int mount(const char* device, const char*, const char* type, const char* options,
            MountUse use) override {
    constexpr const char* kUses[] = {"data", "ro", "rw"};
    return call(std::string("mount ") + device + " " + type + " " + options + " " +
                kUses[static_cast<int>(use)]);
  }
  int unmount(const char*) override { return call("unmount"); }
  ChildResult run(const Command&) override {
    ChildResult result;
    result.exit_code = 1;
    return result;
  }
  int free_bytes(const char*, std::uint64_t&) override { return ENOSYS; }
  bool is_full(const char*) override { return false; }
  int move_mount(const char* from, const char*) override {
    return call(std::string("move ") + from);
  }
  int switch_root(const char*) override { return call("switch"); }
  int run_init(const char* path) override { return call(std::string("run ") + path); }

  std::vector<std::string> calls;
  std::map<std::string, int> errors;
  std::string console;

 private:
  int call(const std::string& what) {
    calls.push_back(what);
    return errors[what];
  }
};

class HandOverTest : public ::testing::Test {
 protected:
  HandOverTest() {
    config.root = {.type = "ext4", .uuid = "rr", .options = ""};
    config.target = {.type = "xfs", .uuid = "tt", .options = ""};
    config.dump_directory = "/var/crash";
    root.write("root/sbin/init", "");
    root.write("cmdline", "root=/dev/sda1 ro\n");
    std::filesystem::create_directories(root.path("run"));
  }
  void run() {
    const std::string mount_point = root.path("root"), run = root.path("run"),
                      command_line = root.path("cmdline");
    hand_over(config, {mount_point, run, command_line}, system);
  }
  // What main() does.
  void capture_and_hand_over() {
    const std::string target = root.path("target"), vmcore = root.path("vmcore"),
                      temporary = root.path();
    Report report;
    std::filesystem::create_directories(target);
    run_capture(config, system, {target, vmcore, temporary}, report);
    result = report.result;
    if (root_is_wanted(config, report, system)) run();
  }
  TemporaryDirectory root;
  FakeRoot system;
  InitConfig config;
  Result result = Result::kUnfinished;
};

TEST_F(HandOverTest, MovesTheKernelsFileSystemsAndStartsInit) {
  run();
  EXPECT_THAT(system.calls,
              ElementsAre("wait rr", "mount /dev/rr ext4  ro", "move /dev", "move /proc",
                          "move /sys", "write " + root.path("root/proc/self/oom_score_adj") + " 0",
                          "switch", "run /sbin/init"));
  EXPECT_THAT(system.console, HasSubstr("root: /dev/rr is the root"));
  EXPECT_THAT(system.console, Not(HasSubstr("FAILED")));
}

TEST_F(HandOverTest, MountsWritableWhereTheCommandLineSaysSo) {
  root.write("cmdline", "ro quiet rw\n");
  config.root.options = "subvol=/@";
  run();
  EXPECT_EQ(system.calls.at(1), "mount /dev/rr ext4 subvol=/@ rw");
}

TEST(AsksForWritableRoot, CountsTheLastWholeWord) {
  for (const char* line : {"", "ro", "rw ro", "rwx", "root=rw", "x rw=1", " \n"}) {
    EXPECT_FALSE(asks_for_writable_root(line)) << line;
  }
  for (const char* line : {"rw", "ro rw", "a rw b\n", " rw\n"}) {
    EXPECT_TRUE(asks_for_writable_root(line)) << line;
  }
}

TEST_F(HandOverTest, SysctlsGoIntoTheRunOfTheRoot) {
  config.sysctls.push("vm/nr_hugepages=0");
  config.sysctls.push("kernel/printk=1 2 3");
  run();
  EXPECT_EQ(root.read("run/sysctl.d/zzz-kdump.conf"), "-vm/nr_hugepages=0\n-kernel/printk=1 2 3\n");
  EXPECT_THAT(system.calls, ::testing::Contains("mount tmpfs tmpfs mode=0755 data"));
  EXPECT_THAT(system.calls, ::testing::Contains("move " + root.path("run")));
}

TEST_F(HandOverTest, GoesOnWithoutSysctlsWhenRunCannotBeMounted) {
  config.sysctls.push("vm/nr_hugepages=0");
  system.errors["mount tmpfs tmpfs mode=0755 data"] = ENOMEM;
  run();
  EXPECT_THAT(system.console, HasSubstr("no sysctls for the root: Cannot allocate memory"));
  EXPECT_THAT(system.calls, Not(::testing::Contains("move " + root.path("run"))));
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

struct FailingStep {
  const char* call;
  int error;
  const char* said;
};
class HandOverFailure : public HandOverTest, public ::testing::WithParamInterface<FailingStep> {};

TEST_P(HandOverFailure, IsSaidAndEndsTheHandOver) {
  system.errors[GetParam().call] = GetParam().error;
  run();
  EXPECT_EQ(system.calls.back(), GetParam().call);
  EXPECT_THAT(system.console, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    Steps, HandOverFailure,
    ::testing::Values(
        FailingStep{"wait rr", ENODEV, "root: FAILED: no device with ext4 rr after 60 s"},
        FailingStep{"mount /dev/rr ext4  ro", EUCLEAN, "FAILED: cannot mount ext4 rr"},
        FailingStep{"move /dev", ENOENT, "cannot move /dev into it: No such file"},
        FailingStep{"move /proc", ENOENT, "cannot move /proc into it: No such file"},
        FailingStep{"move /sys", EINVAL, "cannot move /sys into it: Invalid argument"},
        FailingStep{"switch", EINVAL, "cannot switch to it: Invalid argument"}));

TEST_F(HandOverTest, TriesSystemdWhenInitCannotBeRunAndNothingElse) {
  system.errors["run /sbin/init"] = ENOENT;
  system.errors["run /lib/systemd/systemd"] = ENOEXEC;
  run();
  EXPECT_THAT(system.console, HasSubstr("cannot run /sbin/init: No such file"));
  EXPECT_THAT(system.console, HasSubstr("cannot run /lib/systemd/systemd: Exec format error"));
  EXPECT_EQ(system.calls.back(), "run /lib/systemd/systemd");
}

TEST_F(HandOverTest, RootWithoutInitIsLeftAlone) {
  std::filesystem::remove(root.path("root/sbin/init"));
  run();
  EXPECT_THAT(system.console, HasSubstr("neither /sbin/init nor /lib/systemd/systemd is on it"));
  EXPECT_EQ(system.calls.back(), "mount /dev/rr ext4  ro");
}

TEST_F(HandOverTest, AbsoluteLinkToInitIsAnInit) {
  std::filesystem::remove(root.path("root/sbin/init"));
  std::filesystem::create_symlink("/lib/systemd/no-such-file-here", root.path("root/sbin/init"));
  run();
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

TEST_F(HandOverTest, CaptureRootfsNeedsNoVmcoreAndSavesNothingItself) {
  config.capture = CaptureMode::kRootfs;
  config.target = {};
  config.modules.push({.path = "/a.ko", .options = ""});
  capture_and_hand_over();
  EXPECT_EQ(system.calls.front(), "load /a.ko");
  EXPECT_EQ(system.calls.at(1), "wait rr");
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

TEST_F(HandOverTest, ModulesOfTheRootThatFailAreNoReasonToGiveUp) {
  config.modules.push({.path = "/a.ko", .options = "", .for_root = true});
  system.errors["load /a.ko"] = ENOENT;
  run();
  EXPECT_THAT(system.console, HasSubstr("/a.ko: No such file or directory, going on without it"));
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

class Fallback : public HandOverTest {
 protected:
  Fallback() { root.write("vmcore", "v"); }
};

TEST_F(Fallback, LoadsTheModulesOfTheRootWhenTheTargetHasFailed) {
  config.modules.push({.path = "/target.ko", .options = ""});
  config.modules.push({.path = "/root.ko", .options = "", .for_root = true});
  system.errors["wait tt"] = ENODEV;
  capture_and_hand_over();
  EXPECT_THAT(std::vector(system.calls.begin(), system.calls.begin() + 4),
              ::testing::ElementsAre("load /target.ko", "wait tt", "load /root.ko", "wait rr"));
}

TEST_F(Fallback, IsTakenWhenTheTargetIsNotFound) {
  system.errors["wait tt"] = ENODEV;
  capture_and_hand_over();
  EXPECT_EQ(result, Result::kFailed);
  EXPECT_THAT(system.console, HasSubstr("nothing was saved, the root file system tries again"));
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

TEST_F(Fallback, IsTakenWhenTheTargetCannotBeMounted) {
  system.errors["mount /dev/tt xfs  data"] = EUCLEAN;
  capture_and_hand_over();
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

TEST_F(Fallback, IsTakenWhenTheDirectoryCannotBeMade) {
  root.write("target/var", "a file where a directory has to be");
  capture_and_hand_over();
  EXPECT_THAT(system.calls, ::testing::Contains("unmount"));
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

TEST_F(Fallback, IsTakenWhenNeitherDumpNorLogCouldBeSaved) {
  capture_and_hand_over();
  EXPECT_EQ(result, Result::kFailed);
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

TEST_F(Fallback, IsTakenToTheTargetItselfOnceThatWasMounted) {
  config.root = config.target;
  capture_and_hand_over();
  EXPECT_EQ(system.calls.back(), "run /sbin/init");
}

TEST_F(Fallback, IsNotTakenToTheTargetThatCannotBeMounted) {
  config.root = config.target;
  system.errors["mount /dev/tt xfs  data"] = EUCLEAN;
  capture_and_hand_over();
  EXPECT_THAT(system.console, HasSubstr("the root is the target that could not be mounted"));
  EXPECT_EQ(system.calls.back(), "mount /dev/tt xfs  data");
}

TEST_F(Fallback, IsNotTakenWithoutARoot) {
  config.root = {};
  system.errors["wait tt"] = ENODEV;
  capture_and_hand_over();
  EXPECT_THAT(system.console, HasSubstr("knows no root file system"));
  EXPECT_EQ(system.calls.back(), "wait tt");
}

TEST_F(Fallback, IsNotTakenWhenThereIsNothingToSave) {
  std::filesystem::remove(root.path("vmcore"));
  capture_and_hand_over();
  EXPECT_EQ(result, Result::kFailed);
  EXPECT_THAT(system.calls, IsEmpty());
}

TEST_F(Fallback, IsNotTakenWhenAtLeastTheLogWasSaved) {
  Report report;
  for (const Result saved : {Result::kSaved, Result::kSavedWithRetry, Result::kDmesgOnly}) {
    report.result = saved;
    EXPECT_FALSE(root_is_wanted(config, report, system));
  }
  EXPECT_THAT(system.console, IsEmpty());
}

TEST_F(HandOverTest, DeletingLeavesLinksTargetsAndOtherDevicesAlone) {
  root.write("image/a/b/file", "x");
  root.write("outside", "x");
  std::filesystem::create_symlink(root.path("outside"), root.path("image/a/link"));
  const int directory = ::open(root.path("image").c_str(), O_RDONLY | O_DIRECTORY);
  struct stat info {};
  ASSERT_EQ(::fstat(directory, &info), 0);
  EXPECT_EQ(delete_contents(directory, info.st_dev + 1, system), EXDEV);
  EXPECT_TRUE(std::filesystem::exists(root.path("image/a/b/file")));
  EXPECT_EQ(delete_contents(directory, info.st_dev, system), 0);
  EXPECT_TRUE(std::filesystem::is_empty(root.path("image")));
  EXPECT_TRUE(std::filesystem::exists(root.path("outside")));
  ::close(directory);
}

}  // namespace
}  // namespace kdinit
