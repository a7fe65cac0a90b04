// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "builder/base/fd.h"
#include "builder/init/child.h"
#include "builder/init/init_config.h"

namespace kdinit {

int Guard::start(std::uint32_t timeout_seconds) {
  if (timeout_seconds == 0) return 0;
  void* shared = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return errno;
  last_touch_ms_ = static_cast<std::uint64_t*>(shared);
  touch();
  pid_ = ::fork();
  if (pid_ < 0) return errno;
  if (pid_ == 0) watch(timeout_seconds * std::uint64_t{1000});
  return 0;
}

void Guard::touch() {
  if (last_touch_ms_) *last_touch_ms_ = boot_time_ms();
}

void Guard::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void Guard::watch(std::uint64_t timeout_ms) const {
  for (;;) {
    ::sleep(1);
    const std::uint64_t last = *last_touch_ms_;
    const std::uint64_t now = boot_time_ms();
    if (now > last && now - last > timeout_ms) break;
  }
  constexpr std::string_view kMessage = "kdump: init hangs in the kernel, restarting the machine\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
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
      const kd::Fd fd(::open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC));
      [[maybe_unused]] const auto written = ::write(fd.get(), "b", 1);
    }
    ::sleep(1);
  }
}

}  // namespace kdinit
