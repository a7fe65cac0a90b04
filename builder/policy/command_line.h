// SPDX-License-Identifier: GPL-2.0-or-later
//
// The command line of the capture kernel. Pure; the tables are data in command_line.cc.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/facts/kdump_config.h"
#include "builder/facts/machine.h"
#include "builder/policy/dump_level.h"

namespace kd {

// block/bio-integrity.c makes buffers at boot since this version; older ones do not know the
// initcall.
inline constexpr Version kIntegrityPoolsSince = {6, 19};
inline constexpr std::string_view kWithoutIntegrityPools =
    "initcall_blacklist=bio_integrity_initfn";

struct CommandLineInputs {
  std::string running;  // /proc/cmdline
  std::string fixed;    // KDUMP_CMDLINE; not empty: used as it is in place of `running`
  std::string append;   // KDUMP_CMDLINE_APPEND; not empty: in place of the rest of the profile
  std::string profile = "tuned";  // KDUMP_CMDLINE_PROFILE: tuned | stock
  bool rootfs = false;            // the image boots the real root, which then saves the dump
  std::string kernel;             // release of the capture kernel
  bool usb_needed = true;         // the target or the root is on USB, or nobody knows
  bool lockdown = false;          // Secure Boot or lockdown is on
  bool no_integrity = false;      // no disk of the machine has integrity metadata
  std::uint64_t ram = 0;          // bytes of the crashed kernel; 0: unknown
};

// A disk of the dump or of the root is on USB, or nobody knows where they are: a capture kernel
// without USB saves little, a dump on a USB disk would be lost.
bool usb_needed(const MachineFacts& machine);

// For a capture by an image of kdump-mkinitrd, without lockdown.
CommandLineInputs command_line_inputs(const MachineFacts& machine, const KdumpConfig& config,
                                      std::string_view kernel);

struct CommandLineRow {
  std::string parameter;
  std::string reason;
  bool operator==(const CommandLineRow&) const = default;
};

struct CaptureCommandLine {
  std::string text;
  std::vector<CommandLineRow> removed;  // from `running`, in its order
  std::vector<CommandLineRow> added;    // by the profile or KDUMP_CMDLINE_APPEND
};

// Parameters keep their order, repetitions and quotes; blanks between them become one. Nothing is
// ever expanded: the text is one argument of kexec(8) and never sees a shell.
CaptureCommandLine capture_command_line(const CommandLineInputs& inputs);

// The parameters of a kernel command line, split as the kernel splits them (next_arg() in
// lib/cmdline.c): at white space outside double quotes, which may stand anywhere and know no
// escape. A quote left open is closed, so that it cannot swallow what is appended.
std::vector<std::string> split_parameters(std::string_view line);

// Names in all lists of modprobe.blacklist=, as they are written. Like libkmod, which compares them
// with normalised names: one with '-' hides no module.
std::set<std::string> modprobe_blacklist(std::string_view command_line);

// Names in module_blacklist=, of which the last list counts. The kernel loads none of them, whoever
// asks (blacklisted() in kernel/module/main.c).
std::set<std::string> module_blacklist(std::string_view command_line);

// The name as the kernel compares it: without a leading quote, up to '=', '-' read as '_'.
std::string parameter_name(std::string_view parameter);

}  // namespace kd
