// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "builder/base/fd.h"
#include "builder/init/child.h"
#include "builder/init/init_config.h"
#include "builder/init/text.h"

namespace kdinit {
namespace {

void write_text(int fd, std::string_view text) {
  [[maybe_unused]] const auto written = ::write(fd, text.data(), text.size());
}

// All there are, once their driver is loaded: opening one arms it, whatever loading the driver did
// to it (i6300esb disarms it), and any byte but 'V' answers it (watchdog-api.rst).
class Watchdogs {
 public:
  explicit Watchdogs(const char* prefix) : prefix_(prefix) {}
  void answer() {
    if (prefix_ == nullptr) return;
    for (std::size_t i = 0; i < std::size(fds_); ++i) {
      if (fds_[i] < 0) fds_[i] = ::open(Text<80>(prefix_, i).c_str(), O_WRONLY | O_CLOEXEC);
      write_text(fds_[i], ".");
    }
  }
  void disarm() const {
    for (const int fd : fds_) write_text(fd, "V");
  }

 private:
  const char* prefix_;
  int fds_[4] = {-1, -1, -1, -1};
};

// True when init wants the guard to end.
bool sleep_one_second() {
  sigset_t end;
  ::sigemptyset(&end);
  ::sigaddset(&end, SIGTERM);
  const timespec second{.tv_sec = 1, .tv_nsec = 0};
  return ::sigtimedwait(&end, nullptr, &second) == SIGTERM;
}

// A write to sysrq-trigger works whatever kernel.sysrq allows to the keyboard.
constexpr std::string_view kEmergencyRestart = "b";

}  // namespace

int Guard::start(std::uint32_t timeout_seconds, const GuardPlaces& places) {
  if (timeout_seconds == 0) return 0;
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  shared_ = static_cast<Shared*>(memory);
  set_timeout(timeout_seconds);
  touch();
  pid_ = ::fork();
  if (pid_ < 0) return errno;
  if (pid_ == 0) watch(places);
  return 0;
}

void Guard::set_timeout(std::uint32_t timeout_seconds) {
  if (shared_) shared_->timeout_seconds = timeout_seconds;
}

void Guard::touch() {
  if (shared_) shared_->last_touch_ms = boot_time_ms();
}

void Guard::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  // A watchdog whose driver hangs must not hold init.
  for (int i = 0; i < 200 && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++i) ::usleep(10'000);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, WNOHANG);
  pid_ = 0;
}

void Guard::watch(const GuardPlaces& places) const {
  // Open before anything hangs, and while /proc is where it was: init moves it to the real root.
  const kd::Fd sysrq(::open(places.sysrq, O_WRONLY | O_CLOEXEC));
  const kd::Fd log(::open(places.log, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  sigset_t end;
  ::sigemptyset(&end);
  ::sigaddset(&end, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &end, nullptr);
  Watchdogs watchdogs(places.watchdog);
  for (;;) {
    watchdogs.answer();
    if (sleep_one_second()) {
      watchdogs.disarm();
      ::_exit(0);
    }
    const std::uint64_t last = shared_->last_touch_ms;
    const std::uint64_t limit = shared_->timeout_seconds * std::uint64_t{1000};
    const std::uint64_t now = boot_time_ms();
    if (limit > 0 && now > last && now - last > limit) break;
  }
  // Not reboot(2) first: device_shutdown() waits for the driver that init waits for. The log of the
  // kernel waits for no reader: a console that takes nothing costs 10 ms for each
  // character (wait_for_lsr() in 8250_port.c).
  write_text(log.get(), "kdump: init hangs in the kernel, restarting the machine\n");
  write_text(sysrq.get(), kEmergencyRestart);
  if (places.restart) places.restart();
  end_machine(FinalAction::kReboot);
}

void end_machine(FinalAction action) {
  const auto command = action == FinalAction::kHalt       ? RB_HALT_SYSTEM
                       : action == FinalAction::kPoweroff ? RB_POWER_OFF
                                                          : RB_AUTOBOOT;
  for (;;) {
    ::reboot(static_cast<int>(command));
    // Still here: refused by the firmware path; the emergency restart does without it.
    if (action == FinalAction::kReboot) {
      const kd::Fd sysrq(::open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC));
      write_text(sysrq.get(), kEmergencyRestart);
    }
    ::sleep(1);
  }
}

}  // namespace kdinit
