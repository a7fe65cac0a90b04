// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/fit/memory_model.h"
#include "builder/plan/image_plan.h"
#include "cpio/archive.h"

namespace kd {

struct ReportEntry {
  std::string path;
  Group group = Group::kInit;
  std::uint64_t size = 0;  // bytes unpacked
  std::string reason;
};

struct Report {
  std::string kernel;
  std::string target;
  std::string command_line;  // of the capture kernel
  std::string output;        // path of the image; empty for a dry run
  std::string variant;       // "whole"
  Fit fit;
  std::uint64_t reservation = 0;      // bytes the image has to fit; 0: unknown
  std::string verdict;                // what the fit means for this machine's reservation
  std::string compression;            // "zstd"
  std::uint64_t compressed_size = 0;  // bytes of the file
  std::uint64_t unpacked_size = 0;    // sum of the files' bytes, hard-linked files once
  double seconds = 0;                 // wall time of the build
  std::vector<ReportEntry> entries;   // regular files by path
  std::vector<std::string> notes;     // warnings and what was left out
};

// `entries` are the plan's, unpacked, in the plan's order.
Report make_report(const ImagePlan& plan, const std::vector<cpio::Entry>& entries);

// A short table; the peak that decides as a waterfall, or both.
enum class Detail { kShort, kFull };
std::string report_text(const Report& report, Detail detail = Detail::kShort);
std::string report_json(const Report& report);
std::string report_list(const Report& report);  // one line an entry: size, path, reason

}  // namespace kd
