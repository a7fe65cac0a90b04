// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace kdinit {

enum class FinalAction;

// reboot(2) until it works. Waits for every driver that is busy with a device (device_shutdown()
// of the kernel takes the lock of each), so a hung one is the guard's to end.
[[noreturn]] void end_machine(FinalAction action);

// What a test replaces.
struct GuardPlaces {
  const char* sysrq = "/proc/sysrq-trigger";
  const char* log = "/dev/kmsg";
  const char* watchdog = nullptr;  // "/dev/watchdog" without its number; nullptr: left alone
  void (*restart)() = nullptr;     // after sysrq; nullptr: end_machine()
};

// A second process that restarts the machine when init no longer moves: a driver that never comes
// back from its probe, a mount or fsync on a dead disk. Nothing inside init can end such a wait,
// and a capture kernel that hangs keeps the machine down. Costs about 60 KiB of memory.
// It never writes to the console, whose reader may be what hangs.
// It also answers hardware watchdogs, which the crashed kernel may have armed, as long as init
// moves. Once it does not, they reset the machine even where the guard cannot.
class Guard {
 public:
  // Opens what it needs while that cannot hang. No guard when timeout_seconds is 0 or there is no
  // memory for it; returns an errno value then.
  int start(std::uint32_t timeout_seconds, const GuardPlaces& places = {});
  // 0: waits for ever.
  void set_timeout(std::uint32_t timeout_seconds);
  // Init is alive. Cheap, and does nothing without a guard.
  void touch();
  // Ends the guard: what comes after init must not be restarted. Watchdogs are disarmed where
  // their driver allows that (nowayout).
  void stop();

 private:
  struct Shared {
    std::uint64_t last_touch_ms;
    std::uint32_t timeout_seconds;
  };
  [[noreturn]] void watch(const GuardPlaces& places) const;
  int pid_ = 0;
  volatile Shared* shared_ = nullptr;  // memory of both processes
};

}  // namespace kdinit
