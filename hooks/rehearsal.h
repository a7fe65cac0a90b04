// SPDX-License-Identifier: GPL-2.0-or-later
//
// A rehearsal as plain data: its record, which outlives the reboot, and all that is decided about
// it. Pure. How it runs stands in rehearse.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace kd {

// What a rehearsal holds for. Digests are those of builder/base/digest.h.
struct CaptureSetup {
  std::string running;            // uname -r
  std::string kernel;             // digest of the capture kernel
  std::string image;              // digest of the image on disk
  std::string command_line;       // digest of that of the capture kernel
  std::uint64_t reservation = 0;  // bytes
  std::string target;             // "ext4 UUID at /var/crash"
  bool operator==(const CaptureSetup&) const = default;
};
// "the image is another one" ...; empty when all is as it was.
std::vector<std::string> changes(const CaptureSetup& then, const CaptureSetup& now);

struct CaptureStep {
  std::string name;
  std::uint64_t milliseconds = 0;   // it took
  std::uint64_t available_kib = 0;  // the least while it ran
  bool operator==(const CaptureStep&) const = default;
};
// Of kdump-report.json.
struct CaptureFigures {
  std::uint64_t milliseconds = 0;  // from the start of the capture kernel to the end of the dump
  std::uint64_t dump_bytes = 0;
  std::vector<CaptureStep> steps;
  bool operator==(const CaptureFigures&) const = default;
};

struct Rehearsal {
  enum class State {
    kArmed,     // for the next reboot of this boot
    kBegun,     // that reboot is under way
    kSaved,     // there is a dump that has to be read yet
    kPassed,    // which was whole
    kFailed,    // nothing was saved, or not what should be
    kNotShown,  // nothing was tried, or it was cut off
  };
  State state = State::kArmed;
  std::string boot_id;     // of the boot that armed it
  std::string date;        // when that was, local time: "2026-11-28 13:05"
  std::string newest_run;  // the newest directory of a dump at that time; empty: there was none
  CaptureSetup setup;
  CaptureFigures figures;
  std::string why;  // with kFailed and kNotShown; with kPassed what else was seen
  std::string run;  // directory of the dump of the rehearsal; empty: there is none
  bool operator==(const Rehearsal&) const = default;

  [[nodiscard]] bool is_pending() const { return state == State::kArmed || state == State::kBegun; }
};

std::string rehearsal_to_json(const Rehearsal& rehearsal);
Result<Rehearsal> rehearsal_from_json(std::string_view text);

// ---- before the reboot
struct Readiness {
  std::vector<std::string> reasons;     // of status, when it is not "ready"; not at a shutdown
  bool systemd = false;                 // runs this system
  bool shutdown_program = false;        // is installed where systemd-shutdown looks
  bool sysrq = false;                   // /proc/sysrq-trigger is there
  std::string kernel_log;               // kernel.printk_devkmsg
  bool saves_log = true;                // KDUMP_DUMP_DMESG
  std::string loaded_by;                // the command that loaded the capture kernel
  std::vector<std::string> would_load;  // those that would now
  std::uint64_t dump_bytes = 0;         // at most that large, before it is compressed
  std::uint64_t space = 0;              // bytes free on the target
  std::string directory;                // KDUMP_COREDIR
};
// Why a rehearsal would fail or could not be told from a crash; empty: it can be armed.
std::vector<std::string> refusals(const Readiness& readiness);

// The most that a dump at level 31 holds of a machine whose services have ended, from
// /proc/meminfo: what is neither free nor a user's nor a file's. In bytes.
std::uint64_t kernel_memory_in_use(std::string_view meminfo);

struct AtShutdown {
  std::string boot_id;
  bool rebooting = false;  // systemd has a job for reboot.target
  bool loaded = false;
  CaptureSetup setup;
  Readiness readiness;
  std::string problem;  // why those cannot be told
};
// Armed becomes begun, or kNotShown with the reason. Others stay.
Rehearsal begin(Rehearsal rehearsal, const AtShutdown& now);

// ---- after it
struct AfterReboot {
  std::string boot_id;
  std::string newest_run;
  std::string run;     // the directory with the dump of the rehearsal; empty: none
  std::string report;  // text of kdump-report.json in it
  std::string target;  // as CaptureSetup has it
};
// A pending one becomes saved, failed or kNotShown. That of the same boot, and others, stay.
Rehearsal settle(Rehearsal rehearsal, const AfterReboot& now);

// A saved one becomes passed or failed, by what kdump-verify found.
Rehearsal judge(Rehearsal rehearsal, std::string_view result, std::string_view reason);

// ---- words
// What will happen, with every way out, before it does.
std::string announcement(const Rehearsal& rehearsal, std::string_view directory);
// For status: "rehearsed on DATE with this kernel and image, ...", or why that does not count.
// `now` is empty where it cannot be told.
std::string describe(const Rehearsal& rehearsal, std::string_view boot_id,
                     const std::optional<CaptureSetup>& now);
// Whether it passed and holds for what is there now.
bool counts(const Rehearsal& rehearsal, const std::optional<CaptureSetup>& now);
// For show: a line for each step.
std::string step_lines(const CaptureFigures& figures);
std::string_view name_of(Rehearsal::State state);

}  // namespace kd
