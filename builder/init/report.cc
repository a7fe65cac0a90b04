// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/report.h"

namespace kdinit {
namespace {

void put_text(TextBuffer& out, std::string_view key, std::string_view value) {
  out.put(", \"", key, "\": ").put_json(value);
}

void put_number(TextBuffer& out, std::string_view key, std::uint64_t value) {
  out.put(", \"", key, "\": ", value);
}

void put_step(const StepRecord& step, TextBuffer& out) {
  out.put("{\"name\": ").put_json(step.name);
  put_number(out, "start_ms", step.start_ms);
  put_number(out, "end_ms", step.end_ms);
  put_number(out, "free_kib", step.after.free);
  put_number(out, "available_kib", step.after.available);
  put_number(out, "lowest_free_kib", step.lowest.free);
  put_number(out, "lowest_available_kib", step.lowest.available);
  out.put('}');
}

void put_failures(const Report& report, TextBuffer& out) {
  out.put(", \"failures\": [");
  for (std::size_t i = 0; i < report.failure_count; ++i) {
    out.put(i ? ", " : "", "{\"step\": ").put_json(report.failures[i].step);
    put_text(out, "error", report.failures[i].error.view());
    out.put('}');
  }
  out.put(']');
}

void put_memory(const Report& report, TextBuffer& out) {
  out.put(", \"memory\": {\"total_kib\": ", report.at_start.total);
  put_number(out, "map_kib", report.ram_bytes / 1024);
  put_number(out, "start_free_kib", report.at_start.free);
  put_number(out, "start_available_kib", report.at_start.available);
  put_number(out, "start_cached_kib", report.at_start.cached);
  put_number(out, "lowest_free_kib", report.lowest.free);
  put_number(out, "lowest_available_kib", report.lowest.available);
  put_number(out, "makedumpfile_max_rss_kib", report.makedumpfile_max_rss);
  out.put('}');
}

}  // namespace

std::string_view name_of(Result result) {
  switch (result) {
    case Result::kUnfinished:
      return "unfinished";
    case Result::kSaved:
      return "saved";
    case Result::kSavedWithRetry:
      return "saved-with-retry";
    case Result::kSavedRaw:
      return "saved-raw";
    case Result::kIncomplete:
      return "incomplete";
    case Result::kDmesgOnly:
      return "dmesg-only";
    case Result::kFailed:
      break;
  }
  return "failed";
}

std::string_view profile_of(std::string_view command_line) {
  // Of the profile whatever the machine, and in none of the distributions'.
  for (const std::string_view word : {"percpu_alloc=page", "numa=off", "hest_disable"}) {
    const std::size_t at = command_line.find(word);
    if (at == std::string_view::npos || (at > 0 && command_line[at - 1] != ' ')) return "stock";
    const std::size_t end = at + word.size();
    if (end < command_line.size() && command_line[end] != ' ' && command_line[end] != '\n') {
      return "stock";
    }
  }
  return "tuned";
}

bool is_saved(Result result) {
  return result == Result::kSaved || result == Result::kSavedWithRetry ||
         result == Result::kSavedRaw;
}

void put_report(const Report& report, TextBuffer& out) {
  out.put("{\"version\": ", kReportVersion);
  put_text(out, "tool", KD_VERSION);
  put_text(out, "kernel", report.kernel);
  put_text(out, "image_kernel", report.image_kernel);
  put_text(out, "profile", report.profile);
  put_text(out, "result", name_of(report.result));
  put_text(out, "failed_step", report.failed_step());
  put_text(out, "error", report.failures[0].error.view());
  put_failures(report, out);
  put_text(out, "dump_note", report.dump_note);
  put_text(out, "stamp", report.stamp.view());
  put_text(out, "dump_file", report.dump_file.view());
  put_number(out, "dump_bytes", report.dump_bytes);
  put_number(out, "incomplete_bytes", report.incomplete_bytes);
  out.put(", \"dmesg_saved\": ", report.dmesg_saved ? "true" : "false");
  if (report.rehearsal) out.put(", \"rehearsal\": true");
  put_number(out, "vmcore_bytes", report.vmcore_bytes);
  put_number(out, "target_free_bytes", report.free_bytes);
  put_number(out, "modules_loaded", report.modules_loaded);
  put_number(out, "modules_failed", report.modules_failed);
  put_memory(report, out);
  out.put(", \"steps\": [");
  for (std::size_t i = 0; i < report.step_count; ++i) {
    out.put(i ? ", " : "");
    put_step(report.steps[i], out);
  }
  out.put("]}\n");
}

}  // namespace kdinit
