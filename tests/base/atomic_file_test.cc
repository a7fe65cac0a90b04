// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <thread>

#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

Result<void> replace(const std::string& path, std::string_view text) {
  KD_TRY(AtomicFile file, AtomicFile::create(path));
  KD_CHECK(file.write(text));
  KD_CHECK(file.sync());
  return file.publish();
}

// From now on every call of `number` in this process fails with EIO.
void let_fail(long number) {
  std::array<sock_filter, 4> code = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    ::_exit(99);
  }
}

// The exit code of a child process that runs `body`.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(AtomicFile, AppearsCompleteAndPrivate) {
  const TemporaryDirectory directory;
  const mode_t mask = ::umask(0);
  EXPECT_TRUE(replace(directory.path("file"), "new"));
  ::umask(mask);
  EXPECT_EQ(directory.read("file"), "new");
  struct stat status {};
  ASSERT_EQ(::stat(directory.path("file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

TEST(AtomicFile, IsInvisibleUntilPublished) {
  const TemporaryDirectory directory;
  directory.write("file", "old");
  {
    AtomicFile file = AtomicFile::create(directory.path("file")).value();
    ASSERT_TRUE(file.write("new"));
    ASSERT_TRUE(file.sync());
    EXPECT_EQ(directory.read("file"), "old");
  }
  EXPECT_EQ(directory.read("file"), "old");
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

TEST(AtomicFile, MovedFromFileRemovesNothing) {
  const TemporaryDirectory directory;
  std::optional<AtomicFile> first = AtomicFile::create(directory.path("file")).value();
  AtomicFile second = std::move(*first);
  first.reset();
  ASSERT_TRUE(second.write("new"));
  ASSERT_TRUE(second.publish());
  EXPECT_EQ(directory.read("file"), "new");
}

TEST(AtomicFile, OldFileSurvivesEveryFailingCall) {
#ifdef SYS_rename
  const long rename_call = SYS_rename;
#else
  const long rename_call = SYS_renameat;
#endif
  for (const long call : {long{SYS_openat}, long{SYS_fsync}, rename_call}) {
    const TemporaryDirectory directory;
    directory.write("file", "old");
    EXPECT_EQ(in_child([&] {
                let_fail(call);
                const Result<void> result = replace(directory.path("file"), "new");
                return result || result.error().system_error != std::errc::io_error ? 1 : 0;
              }),
              0)
        << "system call " << call;
    EXPECT_EQ(directory.read("file"), "old") << "system call " << call;
    EXPECT_THAT(directory.names(), ElementsAre("file")) << "system call " << call;
  }
}

// Not by the filter: the runtime of UBSan writes to pipes of its own.
TEST(AtomicFile, OldFileSurvivesAFailingWrite) {
  const TemporaryDirectory directory;
  directory.write("file", "old");
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit nothing{0, 0};
              if (::setrlimit(RLIMIT_FSIZE, &nothing) != 0) return 2;
              const Result<void> result = replace(directory.path("file"), "new");
              return result || result.error().system_error != std::errc::file_too_large ? 1 : 0;
            }),
            0);
  EXPECT_EQ(directory.read("file"), "old");
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

TEST(AtomicFile, FileIsCompleteWhenItsDirectoryCannotBeSynced) {
  const TemporaryDirectory directory;
  directory.write("file", "old");
  EXPECT_EQ(in_child([&] {
              Result<AtomicFile> file = AtomicFile::create(directory.path("file"));
              if (!file || !file->write("new") || !file->sync()) return 1;
              let_fail(SYS_fsync);
              return file->publish() ? 2 : 0;
            }),
            0);
  EXPECT_EQ(directory.read("file"), "new");
}

TEST(AtomicFile, NextWriterRemovesWhatAKilledOneLeft) {
  const TemporaryDirectory directory;
  directory.write("file", "old");
  directory.write(".file.keep", "another length");
  directory.write(".other.123456", "another file's");
  EXPECT_EQ(in_child([&] {
              Result<AtomicFile> file = AtomicFile::create(directory.path("file"));
              if (file && file->write("half")) ::_exit(7);  // without destructors
              return 1;
            }),
            7);
  EXPECT_EQ(directory.names().size(), 4U);
  EXPECT_EQ(directory.read("file"), "old");
  ASSERT_TRUE(replace(directory.path("file"), "new"));
  EXPECT_THAT(directory.names(), UnorderedElementsAre("file", ".file.keep", ".other.123456"));
}

TEST(AtomicFile, NeverReplacesADirectory) {
  const TemporaryDirectory directory;
  directory.write("file/inside", "old");
  EXPECT_FALSE(replace(directory.path("file"), "new"));
  EXPECT_EQ(directory.read("file/inside"), "old");
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

TEST(AtomicFile, ReplacesALinkAndNotWhatItNames) {
  const TemporaryDirectory directory;
  directory.write("target", "old");
  std::filesystem::create_symlink("target", directory.path("file"));
  ASSERT_TRUE(replace(directory.path("file"), "new"));
  EXPECT_EQ(directory.read("target"), "old");
  EXPECT_EQ(directory.read("file"), "new");
}

TEST(AtomicFile, MissingDirectoryIsNamed) {
  const TemporaryDirectory directory;
  const Result<void> result = replace(directory.path("none/file"), "new");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr(directory.path("none")));
  EXPECT_EQ(result.error().system_error, std::errc::no_such_file_or_directory);
}

TEST(FileLock, IsHeldWhileTheObjectLives) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("lock");
  const auto is_locked = [&] {
    const Fd other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    return ::flock(other.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  };
  {
    const FileLock lock = FileLock::acquire(path).value();
    EXPECT_TRUE(is_locked());
  }
  EXPECT_FALSE(is_locked());
}

TEST(FileLock, CannotBeTakenByOthersThanItsOwner) {
  const TemporaryDirectory directory;
  const FileLock lock = FileLock::acquire(directory.path("lock")).value();
  EXPECT_EQ(std::filesystem::status(directory.path("lock")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(FileLock, BesideAFileLeavesNothingBehind) {
  const TemporaryDirectory directory;
  {
    const FileLock lock = FileLock::acquire_beside(directory.path("file")).value();
    EXPECT_THAT(directory.names(), testing::ElementsAre(".file.lock"));
  }
  EXPECT_THAT(directory.names(), testing::IsEmpty());
}

TEST(FileLock, DoesNotFollowALink) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("elsewhere", directory.path("lock"));
  EXPECT_FALSE(FileLock::acquire(directory.path("lock")));
  EXPECT_FALSE(std::filesystem::exists(directory.path("elsewhere")));
}

TEST(FileLock, LetsOneInAtATime) {
  const TemporaryDirectory directory;
  directory.write("count", "0");
  std::array<std::thread, 4> threads;
  std::array<bool, 4> failed{};
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i] = std::thread([&, i] {
      for (int round = 0; round < 50; ++round) {
        const Result<FileLock> lock = FileLock::acquire_beside(directory.path("count"));
        if (!lock) failed[i] = true;
        directory.write("count", std::to_string(std::stoi(directory.read("count")) + 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(failed, Each(false));
  EXPECT_EQ(directory.read("count"), "200");
}

TEST(FileLock, NeedsTheDirectory) {
  const TemporaryDirectory directory;
  const Result<FileLock> lock = FileLock::acquire_beside(directory.path("none/file"));
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().system_error, std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace kd
