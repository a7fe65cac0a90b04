// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/console.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/child.h"

namespace kdinit {
namespace {

// devkmsg_write() refuses a record beyond 1024 bytes with its prefix.
constexpr std::size_t kMaxRecord = 900;

// One open file for each record: the kernel drops what comes too fast through one (printk.devkmsg).
void log_records(const char* log, std::string_view text) {
  if (text == "\n") return;  // every record is a line
  while (!text.empty()) {
    const std::string_view record = text.substr(0, kMaxRecord);
    const kd::Fd fd(::open(log, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC));
    [[maybe_unused]] const auto written = ::write(fd.get(), record.data(), record.size());
    text.remove_prefix(record.size());
  }
}

}  // namespace

bool write_within(int fd, std::string_view text, std::uint64_t wait_ms) {
  const std::uint64_t end = boot_time_ms() + wait_ms;
  while (!text.empty()) {
    const std::uint64_t now = boot_time_ms();
    pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&room, 1, now < end ? static_cast<int>(end - now) : 0) <= 0) return false;
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    if (written <= 0 && now >= end) return false;
  }
  return true;
}

void Console::print(std::string_view text, const char* log) {
  if (write_within(fd_, text, patience_ms_)) return;
  patience_ms_ = 0;
  log_records(log, text);
}

}  // namespace kdinit
