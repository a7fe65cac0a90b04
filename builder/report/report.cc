// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/report/report.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <set>

#include "builder/base/digest.h"
#include "builder/base/json.h"
#include "builder/base/path.h"
#include "builder/report/verdict.h"

namespace kd {
namespace {

constexpr std::size_t kLargest = 5;

struct GroupName {
  Group group;
  std::string_view name;
};
constexpr std::array<GroupName, 5> kGroups = {{{Group::kInit, "init"},
                                               {Group::kModule, "modules"},
                                               {Group::kFirmware, "firmware"},
                                               {Group::kProgram, "programs"},
                                               {Group::kLibrary, "libraries"}}};

struct Sum {
  std::size_t count = 0;
  std::uint64_t size = 0;
};

Sum sum_of(const Report& report, Group group) {
  Sum sum;
  for (const ReportEntry& entry : report.entries) {
    if (entry.group != group) continue;
    ++sum.count;
    sum.size += entry.size;
  }
  return sum;
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

// One line a term with the running sum; what the sum reaches is the peak.
std::string waterfall(const Peak& peak, bool decides) {
  std::string text = fmt::format("\n  {:<26} {:>6} {:>6}  {}\n", "memory while " + peak.name, "MiB",
                                 "sum", decides ? "the largest peak, it decides" : "");
  while (text[text.size() - 2] == ' ') text.erase(text.size() - 2, 1);
  std::uint64_t sum = 0;
  for (const Term& term : peak.terms) {
    sum += term.bytes;
    text += fmt::format("    {:<24} {:>6.1f} {:>6.1f}  {}\n", term.name, mib(term.bytes), mib(sum),
                        term.source);
  }
  return text;
}

Json peak_json(const Peak& peak) {
  Json terms = Json::array();
  for (const Term& term : peak.terms) {
    terms.push_back({{"name", term.name}, {"bytes", term.bytes}, {"source", term.source}});
  }
  return {{"name", peak.name}, {"bytes", peak.total()}, {"terms", std::move(terms)}};
}

std::string kilobytes(std::uint64_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / 1000);
}

std::vector<const ReportEntry*> largest(const Report& report) {
  std::vector<const ReportEntry*> entries;
  for (const ReportEntry& entry : report.entries) entries.push_back(&entry);
  std::ranges::stable_sort(entries, std::greater<>(), &ReportEntry::size);
  entries.resize(std::min(entries.size(), kLargest));
  return entries;
}

}  // namespace

Report make_report(const ImagePlan& plan, const std::vector<cpio::Entry>& entries) {
  Report report{.kernel = plan.kernel, .target = plan.target.description};
  std::set<std::string> contents;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!S_ISREG(entries[i].mode)) continue;
    const std::uint64_t size = entries[i].data.size();
    report.entries.push_back({.path = entries[i].path,
                              .group = plan.entries[i].group,
                              .size = size,
                              .reason = plan.entries[i].reason});
    if (contents.insert(digest(entries[i].data)).second) report.unpacked_size += size;
  }
  return report;
}

std::string report_text(const Report& report, Detail detail) {
  std::string text = fmt::format("kernel  {}\ntarget  {}\n", report.kernel, report.target);
  if (!report.output.empty()) text += fmt::format("image   {}\n", report.output);
  text += fmt::format("\n  {:<10} {:>5} {:>10}\n", "", "files", "kB");
  for (const GroupName& group : kGroups) {
    const Sum sum = sum_of(report, group.group);
    if (sum.count == 0) continue;
    text += fmt::format("  {:<10} {:>5} {:>10}\n", group.name, sum.count, kilobytes(sum.size));
  }
  text += fmt::format("  {:<10} {:>5} {:>10}\n", "unpacked", report.entries.size(),
                      kilobytes(report.unpacked_size));
  if (report.compressed_size > 0) {
    text += fmt::format("  {:<10} {:>5} {:>10}  {}, {:.2f} s\n", "image", 1,
                        kilobytes(report.compressed_size), report.compression, report.seconds);
  }
  for (const Peak* peak : report.fit.peaks()) {
    const bool decides = peak == &report.fit.largest();
    if (decides || detail == Detail::kFull) text += waterfall(*peak, decides);
  }
  text += fmt::format("  {}\n\n  largest:", report.verdict);
  for (const ReportEntry* entry : largest(report)) {
    text += fmt::format(" {} {}", base_name(entry->path), kilobytes(entry->size));
    if (entry != largest(report).back()) text += ",";
  }
  text += "\n";
  for (const std::string& note : report.notes) text += fmt::format("  note: {}\n", note);
  return text;
}

std::string report_json(const Report& report) {
  Json groups = Json::object();
  for (const GroupName& group : kGroups) {
    const Sum sum = sum_of(report, group.group);
    groups[std::string(group.name)] = {{"files", sum.count}, {"bytes", sum.size}};
  }
  Json entries = Json::array();
  for (const ReportEntry& entry : report.entries) {
    entries.push_back({{"path", entry.path}, {"bytes", entry.size}, {"reason", entry.reason}});
  }
  Json peaks = Json::array();
  for (const Peak* peak : report.fit.peaks()) peaks.push_back(peak_json(*peak));
  Json fit = fit_json(report.fit.needed_with_cma, report.reservation);
  fit["needed_bytes"] = report.fit.needed;
  fit["decides"] = report.fit.largest().name;
  fit["peaks"] = std::move(peaks);
  return json_text({{"result", report.output.empty() ? "planned" : "built"},
                    {"kernel", report.kernel},
                    {"target", report.target},
                    {"command_line", report.command_line},
                    {"output", report.output},
                    {"compression", report.compression},
                    {"image_bytes", report.compressed_size},
                    {"unpacked_bytes", report.unpacked_size},
                    {"seconds", report.seconds},
                    {"groups", std::move(groups)},
                    {"variant", report.variant},
                    {"fit", std::move(fit)},
                    {"notes", report.notes},
                    {"entries", std::move(entries)}});
}

std::string report_list(const Report& report) {
  std::string text;
  for (const ReportEntry& entry : report.entries) {
    text += fmt::format("{:>9} {} ({})\n", entry.size, entry.path, entry.reason);
  }
  return text;
}

}  // namespace kd
