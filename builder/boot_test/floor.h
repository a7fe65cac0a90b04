// SPDX-License-Identifier: GPL-2.0-or-later
//
// The floor of a kernel: the smallest reservation in which it comes as far as its init, found with
// QEMU. A capture spends most of its life before that where nobody can look, so two floors are
// looked for: one without anything to unpack and one with a file. What the file costs twice, as
// initrd and unpacked, tells the moment of unpacking from the one when the initrd is freed again
// and the kernel's own init memory is not.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "builder/base/result.h"
#include "builder/base/runner.h"

namespace kd {

struct FloorInput {
  std::string kernel;        // bytes of the bzImage
  std::string command_line;  // of the capture kernel
  std::string crash_init;    // bytes of kdump-init-crash
  std::string floor_init;    // bytes of kdump-init-floor
  std::uint64_t guess = 0;   // bytes, for the first try: enough, and not by much
  bool kvm = false;          // try it first; emulation takes over where it does not work
};

// Bytes of a reservation, all that the kernel loses of it included but for memory_map() of
// builder/fit/kernel_memory.h.
struct Floor {
  std::uint64_t unpacking = 0;  // in use while it unpacks, without initrd and unpacked files
  std::uint64_t starting = 0;   // in use before it starts init, without unpacked files
  std::uint64_t capturing = 0;  // in use when init has started, without unpacked files
  bool kvm = false;
  unsigned boots = 0, crashes = 0;
};

// What is found is good to this, in bytes.
inline constexpr std::uint64_t kFloorStep = std::uint64_t{512} << 10;

// Bisects in boots without a crash, whose memory map is that of a capture kernel, and confirms what
// is found by panics. One panic before tells what a reservation loses to ELF headers; where its
// kernel has not as much in use as that of a boot, panics take the place of all boots.
// `say` gets a line for every try. Errors: ErrorKind::kProgramMissing names the package.
[[nodiscard]] Result<Floor> find_floor(const FloorInput& input, ProgramRunner& runner,
                                       const std::function<void(const std::string&)>& say);

// What kdump-init-floor prints, in KiB.
struct FloorReport {
  std::uint64_t map = 0, free = 0, cached = 0;
  [[nodiscard]] std::uint64_t in_use() const { return map - free - cached; }
  [[nodiscard]] std::uint64_t left() const { return (free + cached) * 1024; }  // in bytes
};
// Nothing: init did not start, or the figures cannot be. Pure.
std::optional<FloorReport> parse_floor_report(std::string_view console);

// The command line of a boot whose kernel sees as much memory as in a reservation of `bytes`.
// Pure.
std::string boot_command_line(std::string_view command_line, std::uint64_t bytes);

}  // namespace kd
