// SPDX-License-Identifier: GPL-2.0-or-later
//
// The last moment of a reboot that is a rehearsal: whether the kernel is crashed.
#pragma once

#include <string>
#include <string_view>

#include "builder/base/rooted_reader.h"

namespace kd {

// Made by kdump-config rehearse --begin, with the id of the boot. In /run, so nothing of it is left
// after a restart, whatever ended this boot.
inline constexpr std::string_view kRehearsalBegun = "/run/kdump/rehearsal";
inline constexpr std::string_view kBootId = "/proc/sys/kernel/random/boot_id";

// Of a small file; empty without one.
std::string first_line(const FileReader& reader, std::string_view path);

struct ShutdownFacts {
  std::string verb;     // what systemd-shutdown is about to do: reboot, poweroff, halt, kexec, exit
  std::string begun;    // of kRehearsalBegun; empty without one
  std::string boot_id;  // of the boot that ends
  bool loaded = false;  // there is a kernel that would save the dump
};
ShutdownFacts read_shutdown_facts(const FileReader& reader, std::string_view verb);

struct CrashDecision {
  bool crash = false;
  std::string why_not;  // empty where no rehearsal has begun
};
// Pure.
CrashDecision decide_crash(const ShutdownFacts& facts);

// systemd-shutdown starts everything in its directory at once, and mdadm's program waits there
// until the arrays are clean: 0.2 s after the last write (safe_mode_delay, md(4)). One that is not
// would be synchronised for hours after the crash.
inline constexpr unsigned kSecondsForArrays = 1;

// Crashes the kernel when that is decided. Returns the exit code when it is not, or did not work.
int crash_for_rehearsal(const RootedReader& reader, std::string_view verb,
                        unsigned seconds_before = kSecondsForArrays);

}  // namespace kd
