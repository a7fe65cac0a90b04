// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace kdinit {

// A second process that restarts the machine when init no longer moves: a driver that never comes
// back from its probe, a mount or fsync on a dead disk. Nothing inside init can end such a wait,
// and a capture kernel that hangs keeps the machine down. Costs about 60 KiB of memory.
class Guard {
 public:
  // No guard when timeout_seconds is 0 or there is no memory for it; returns an errno value then.
  int start(std::uint32_t timeout_seconds);
  // Init is alive. Cheap, and does nothing without a guard.
  void touch();
  // Ends the guard: what comes after init must not be restarted.
  void stop();

 private:
  [[noreturn]] void watch(std::uint64_t timeout_ms) const;
  int pid_ = 0;
  volatile std::uint64_t* last_touch_ms_ = nullptr;  // shared memory
};

// Ends the machine at once, without sync. Never returns, whatever the kernel does.
enum class FinalAction;
[[noreturn]] void end_machine(FinalAction action);

}  // namespace kdinit
