// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/linux_system.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <string>

#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

class LinuxSystemTest : public ::testing::Test {
 protected:
  // Runs `test` as root of its own mounts, in a process of its own; its exit code counts checks
  // from 1. False where that is not allowed.
  static bool with_own_mounts(const std::function<int()>& test, int& exit_code) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(100);
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      ::_exit(test());
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 99;
    return exit_code != 100;
  }
  TemporaryDirectory root;
  LinuxSystem system;
};

TEST_F(LinuxSystemTest, LowestMemoryIsOfTheTimeSinceItWasTaken) {
  const Memory now = system.memory();
  EXPECT_GT(now.total, 0u);
  EXPECT_GT(now.available, 0u);
  const Memory lowest = system.take_lowest_memory();
  EXPECT_LE(lowest.free, now.free);
  EXPECT_EQ(lowest.total, now.total);
}

TEST_F(LinuxSystemTest, SysctlIsWrittenOrSaysWhy) {
  root.write("setting", "1234");
  EXPECT_EQ(system.write_sysctl(root.path("setting").c_str(), "0"), 0);
  EXPECT_EQ(root.read("setting"), "0234") << "as proc, which begins at offset 0";
  EXPECT_EQ(system.write_sysctl(root.path("missing").c_str(), "0"), ENOENT);
}

TEST_F(LinuxSystemTest, ModuleThatCannotBeLoadedStaysAndSaysWhy) {
  EXPECT_EQ(system.load_module(root.path("missing.ko").c_str(), ""), ENOENT);
  root.write("garbage.ko", "not an ELF file");
  EXPECT_NE(system.load_module(root.path("garbage.ko").c_str(), ""), 0);
  EXPECT_TRUE(std::filesystem::exists(root.path("garbage.ko")));
}

TEST_F(LinuxSystemTest, FullIsWhatTakesNothingMore) {
  root.write("file", "x");
  EXPECT_FALSE(system.is_full(root.path("file").c_str()));
  EXPECT_TRUE(system.is_full("/dev/full"));
  EXPECT_FALSE(system.is_full(root.path("missing").c_str()));
}

TEST_F(LinuxSystemTest, FileAsLargeAsItCanBeIsFull) {
  root.write("file", std::string(4096, 'x'));
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  // With its signal ignored, write(2) fails as it does at the largest size of a file system.
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { .rlim_cur = 64 << 10, .rlim_max = before.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool full = system.is_full(root.path("file").c_str());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(full);
  EXPECT_EQ(root.read("file").size(), 4096u);
}

TEST_F(LinuxSystemTest, QuestionWhetherADiskIsFullLeavesTheFileAsItWas) {
  root.write("file", "pages");
  EXPECT_FALSE(system.is_full(root.path("file").c_str()));
  EXPECT_EQ(root.read("file"), "pages");
}

TEST_F(LinuxSystemTest, FreeBytesAreThoseOfRoot) {
  struct statfs info {};
  ASSERT_EQ(::statfs(root.path().c_str(), &info), 0);
  std::uint64_t bytes = 0;
  ASSERT_EQ(system.free_bytes(root.path().c_str(), bytes), 0);
  EXPECT_EQ(bytes % static_cast<std::uint64_t>(info.f_bsize), 0u);
  EXPECT_GT(bytes, 0u);
  EXPECT_EQ(system.free_bytes("/nowhere", bytes), ENOENT);
}

TEST_F(LinuxSystemTest, TargetIsMountedWritableAndNothingOnItIsRun) {
  int exit_code = 0;
  const std::string directory = root.path("target");
  const bool allowed = with_own_mounts(
      [&] {
        if (system.mount("none", directory.c_str(), "tmpfs", "size=64k", MountUse::kData)) return 1;
        struct statfs info {};
        ::statfs(directory.c_str(), &info);
        if ((info.f_flags & MS_NOEXEC) == 0 || (info.f_flags & MS_NOSUID) == 0) return 2;
        if ((info.f_flags & MS_RDONLY) != 0) return 3;
        if (system.unmount(directory.c_str()) != 0) return 4;
        if (system.unmount(directory.c_str()) != EINVAL) return 5;
        if (system.mount("none", directory.c_str(), "tmpfs", "", MountUse::kRoot)) return 6;
        ::statfs(directory.c_str(), &info);
        return (info.f_flags & MS_RDONLY) != 0 && (info.f_flags & MS_NOEXEC) == 0 ? 0 : 7;
      },
      exit_code);
  if (!allowed) GTEST_SKIP() << "mounts of our own are not allowed here";
  EXPECT_EQ(exit_code, 0);
}

TEST_F(LinuxSystemTest, BusyTargetIsDetachedAndTheReasonTold) {
  int exit_code = 0;
  const std::string directory = root.path("target");
  const bool allowed = with_own_mounts(
      [&] {
        if (system.mount("none", directory.c_str(), "tmpfs", "", MountUse::kData)) return 1;
        if (::chdir(directory.c_str()) != 0) return 2;
        if (system.unmount(directory.c_str()) != EBUSY) return 3;
        return system.unmount(directory.c_str()) == EINVAL ? 0 : 4;
      },
      exit_code);
  if (!allowed) GTEST_SKIP() << "mounts of our own are not allowed here";
  EXPECT_EQ(exit_code, 0);
}

TEST_F(LinuxSystemTest, SwitchToADiskDeletesNothingOfAnOldRootThatIsNotMemory) {
  int exit_code = 0;
  const std::string old_root = root.path("old"), inner = old_root + "/new";
  std::filesystem::create_directories(inner);
  root.write("old/kept", "x");
  const bool allowed = with_own_mounts(
      [&] {
        struct statfs kind {};
        ::statfs(old_root.c_str(), &kind);
        if (kind.f_type == 0x01021994) return 0;  // the temporary directory is memory itself
        if (::chroot(old_root.c_str()) != 0 || ::chdir("/") != 0) return 1;
        if (system.mount("none", "/new", "tmpfs", "", MountUse::kWritableRoot)) return 2;
        (void)system.switch_root("/new");  // MS_MOVE to / of a chroot may be refused
        return 0;
      },
      exit_code);
  if (!allowed) GTEST_SKIP() << "mounts of our own are not allowed here";
  EXPECT_EQ(exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(root.path("old/kept")));
}

TEST_F(LinuxSystemTest, InitThatIsMissingSaysSo) {
  EXPECT_EQ(system.run_init("/nowhere/init"), ENOENT);
}

}  // namespace
}  // namespace kdinit
