// SPDX-License-Identifier: GPL-2.0-or-later
//
// kdump-report.json: what a capture did, how long it took and how much memory it needed. Read
// after the reboot by kdump-config, and by the builder to predict the next capture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "builder/init/memory.h"
#include "builder/init/text.h"

namespace kdinit {

inline constexpr unsigned kReportVersion = 1;
inline constexpr std::size_t kMaxReportBytes = 9216;

enum class Result {
  kUnfinished,      // what a capture leaves that was ended from outside
  kSaved,           // what the configuration asked for
  kSavedWithRetry,  // a dump, with the retry arguments
  kSavedRaw,        // all of /proc/vmcore as it is, because makedumpfile failed; real root only
  kIncomplete,      // dump-incomplete: what was written until the target was full, or it failed
  kDmesgOnly,       // a dump was asked for and only dmesg.STAMP is there
  kFailed,
};
std::string_view name_of(Result result);

struct StepRecord {
  std::string_view name;
  std::uint64_t start_ms = 0;  // CLOCK_BOOTTIME, as the time stamps of the kernel log
  std::uint64_t end_ms = 0;
  Memory after;   // at the end of the step
  Memory lowest;  // smallest values seen during the step
};

struct Failure {
  std::string_view step;
  Text<160> error;
};

struct Report {
  std::string_view kernel;        // that runs: uname -r
  std::string_view image_kernel;  // that the image was built for
  std::string_view profile;       // that this kernel's command line follows
  Result result = Result::kUnfinished;
  Failure failures[8];  // in their order; of more than these the last ones are missing
  std::size_t failure_count = 0;
  bool target_mounted = false;  // not in the text: a file on the target says so
  // Nor this. A disk that took nothing for the stall timeout: nothing more is written to it, since
  // no write to it may ever come back.
  bool target_stalled = false;
  bool target_full = false;    // nor this: makedumpfile could not write on, for want of space
  std::string_view dump_note;  // InitConfig::dump_note
  Text<32> stamp;              // name of the run directory
  Text<64> dump_file;          // in the run directory; empty when there is none
  std::uint64_t dump_bytes = 0;
  std::uint64_t incomplete_bytes = 0;  // of dump-incomplete; 0 when there is none
  bool dmesg_saved = false;
  bool rehearsal = false;  // the kernel was crashed by kdump-config rehearse
  std::uint64_t vmcore_bytes = 0;
  std::uint64_t free_bytes = 0;  // on the target before the dump
  std::size_t modules_loaded = 0;
  std::size_t modules_failed = 0;
  std::uint64_t makedumpfile_max_rss = 0;  // KiB
  std::uint64_t ram_bytes = 0;  // the memory map of this kernel: the reservation less elfcorehdr
  Memory at_start;
  Memory lowest;  // over the whole run
  StepRecord steps[12];
  std::size_t step_count = 0;

  void add_failure(std::string_view step, std::string_view error) {
    if (failure_count == std::size(failures)) return;
    failures[failure_count].step = step;
    failures[failure_count++].error.put(error);
  }
  // The first; empty when nothing failed.
  [[nodiscard]] std::string_view failed_step() const { return failures[0].step; }
};

// "tuned" where the command line of this kernel has what the profile saves memory with, else
// "stock". The configuration cannot tell: it may have changed since the kernel was loaded.
std::string_view profile_of(std::string_view command_line);

// Whether a dump is there that a debugger can read as a whole.
bool is_saved(Result result);

// One JSON object on one line, so that it can go to the console as well.
void put_report(const Report& report, TextBuffer& out);

}  // namespace kdinit
