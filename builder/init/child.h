// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs one program and watches it. The one supervisor of programs that write a dump, in the image
// and in the real root.
#pragma once

#include <sys/resource.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "builder/init/speaker.h"
#include "builder/init/text.h"

namespace kdinit {

// argv of a program: copies, because values in the configuration end in a newline and not a NUL.
class Arguments {
 public:
  void add(std::string_view text);
  // Too many or too long; such a command must not be run.
  [[nodiscard]] bool overflow() const { return overflow_; }
  [[nodiscard]] char* const* argv() const { return argv_.data(); }
  void describe(TextBuffer& out) const;

 private:
  std::array<char, 4096> bytes_;
  std::size_t used_ = 0;
  std::array<char*, 48> argv_{};  // the last one stays nullptr
  std::size_t count_ = 0;
  bool overflow_ = false;
};

struct Command {
  Arguments arguments;
  Path grows;                           // file whose growth is progress; empty: not watched
  std::uint32_t stall_timeout = 0;      // seconds without growth until SIGKILL, 0 = never
  rlim_t largest_file = RLIM_INFINITY;  // bytes; EFBIG beyond
};

struct ChildResult {
  int spawn_error = 0;  // errno: the program did not start; nothing else is set then
  int exit_code = 0;
  int signal = 0;             // that ended it
  bool stalled = false;       // ended by us, see Command::stall_timeout
  std::uint64_t max_rss = 0;  // KiB
  [[nodiscard]] bool ok() const { return !spawn_error && !exit_code && !signal && !stalled; }
  void describe(TextBuffer& out) const;
};

// Tells when a size has not changed for too long. Pure.
class ProgressWatch {
 public:
  ProgressWatch(std::uint64_t now_ms, std::uint32_t timeout_seconds)
      : last_change_ms_(now_ms), timeout_ms_(timeout_seconds * std::uint64_t{1000}) {}
  bool stalled(std::uint64_t now_ms, std::uint64_t size);

 private:
  std::uint64_t last_change_ms_;
  std::uint64_t timeout_ms_;
  std::uint64_t size_ = 0;
};

// Waits for `count` processes of one pipeline, which it sets to 0 as they end. The result is that
// of the first one that failed. When `grows` has not grown for `stall_timeout` seconds all are
// killed, and after some seconds given up: a process in uninterruptible sleep does not die of
// SIGKILL. SIGCHLD must be blocked.
ChildResult supervise(int* pids, std::size_t count, const char* grows, std::uint32_t stall_timeout,
                      Ticker& ticker);

// SIGCHLD must be blocked in the caller. The child gets stdin /dev/null, our stdout and stderr, a
// small fixed environment, and is the first the OOM killer takes.
ChildResult run_child(const Command& command, Ticker& ticker);

}  // namespace kdinit
