// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder/base/fd.h"

namespace kdinit {
namespace {

constexpr std::uint64_t kTickMs = 100;
// A process in uninterruptible sleep does not die of SIGKILL; init gives it up after this time.
constexpr std::uint64_t kKillGraceMs = 10'000;

constinit const char* const kEnvironment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
                                              "TMPDIR=/tmp", "TERM=linux", nullptr};

[[noreturn]] void exec_child(const Command& command, int error_pipe) {
  if (const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    [[maybe_unused]] const auto written = ::write(fd, "1000", 4);
  }
  if (const int null = ::open("/dev/null", O_RDONLY); null >= 0) ::dup2(null, STDIN_FILENO);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGXFSZ);  // a file too large is an error of write(2), as on vfat
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  const rlimit largest{.rlim_cur = command.largest_file, .rlim_max = command.largest_file};
  ::prlimit(0, RLIMIT_FSIZE, &largest, nullptr);
  ::environ = const_cast<char**>(kEnvironment);
  char* const* argv = command.arguments.argv();
  ::execvp(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(error_pipe, &error, sizeof error);
  ::_exit(127);
}

std::uint64_t file_size(const char* path) {
  struct stat info {};
  return ::stat(path, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void take_status(int status, const rusage& usage, ChildResult& result) {
  result.max_rss = std::max(result.max_rss, static_cast<std::uint64_t>(usage.ru_maxrss));
  if (result.signal || result.exit_code) return;
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
}

// Waits until all have ended, at most one tick.
bool wait_one_tick(pid_t* pids, std::size_t count, ChildResult& result) {
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  const timespec tick{.tv_sec = 0, .tv_nsec = kTickMs * 1'000'000};
  ::sigtimedwait(&child_ended, nullptr, &tick);
  bool all_ended = true;
  for (std::size_t i = 0; i < count; ++i) {
    int status = 0;
    rusage usage{};
    if (pids[i] != 0 && ::wait4(pids[i], &status, WNOHANG, &usage) == pids[i]) {
      pids[i] = 0;
      take_status(status, usage, result);
    }
    all_ended = all_ended && pids[i] == 0;
  }
  return all_ended;
}

}  // namespace

void Arguments::add(std::string_view text) {
  if (count_ + 1 >= argv_.size() || bytes_.size() - used_ <= text.size()) {
    overflow_ = true;
    return;
  }
  argv_[count_++] = bytes_.data() + used_;
  std::copy(text.begin(), text.end(), bytes_.data() + used_);
  used_ += text.size();
  bytes_[used_++] = '\0';
}

void Arguments::describe(TextBuffer& out) const {
  for (std::size_t i = 0; i < count_; ++i) out.put(i ? " " : "", argv_[i]);
}

void ChildResult::describe(TextBuffer& out) const {
  if (spawn_error) {
    out.put("cannot be started: ", ::strerror(spawn_error));
  } else if (stalled) {
    out.put("was ended: no progress any more");
  } else if (signal == SIGKILL) {
    out.put("was killed by SIGKILL: the capture kernel ran out of memory, raise crashkernel=");
  } else if (signal) {
    out.put("died of signal ", signal);
  } else {
    out.put("ended with exit code ", exit_code);
  }
}

bool ProgressWatch::stalled(std::uint64_t now_ms, std::uint64_t size) {
  if (size != size_) {
    size_ = size;
    last_change_ms_ = now_ms;
  }
  return now_ms - last_change_ms_ > timeout_ms_;
}

ChildResult supervise(pid_t* pids, std::size_t count, const char* grows,
                      std::uint32_t stall_timeout, Ticker& ticker) {
  ChildResult result;
  const bool watched = stall_timeout > 0 && *grows != '\0';
  ProgressWatch watch(boot_time_ms(), stall_timeout);
  std::uint64_t killed_ms = 0;
  while (!wait_one_tick(pids, count, result)) {
    ticker.tick();
    const std::uint64_t now = boot_time_ms();
    if (result.stalled) {
      if (now - killed_ms > kKillGraceMs) break;
    } else if (watched && watch.stalled(now, file_size(grows))) {
      result.stalled = true;
      killed_ms = now;
      for (std::size_t i = 0; i < count; ++i) {
        if (pids[i] != 0) ::kill(pids[i], SIGKILL);
      }
    }
  }
  return result;
}

ChildResult run_child(const Command& command, Ticker& ticker) {
  ChildResult result;
  if (command.arguments.overflow()) {
    result.spawn_error = E2BIG;
    return result;
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    result.spawn_error = errno;
    return result;
  }
  const kd::Fd read_end(ends[0]);
  kd::Fd write_end(ends[1]);
  pid_t pid = ::fork();
  if (pid < 0) {
    result.spawn_error = errno;
    return result;
  }
  if (pid == 0) exec_child(command, write_end.get());
  write_end.reset();
  // The pipe closes without a byte at the moment of a successful exec.
  if (::read(read_end.get(), &result.spawn_error, sizeof(int)) == sizeof(int)) {
    ::waitpid(pid, nullptr, 0);
    return result;
  }
  return supervise(&pid, 1, command.grows.c_str(), command.stall_timeout, ticker);
}

std::uint64_t boot_time_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace kdinit
