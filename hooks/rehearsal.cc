// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/rehearsal.h"

#include <algorithm>
#include <charconv>

#include "builder/base/json.h"
#include "builder/init/report.h"

namespace kd {
namespace {

constexpr std::string_view kWatch =
    "its messages are on the console: put a serial one on the kernel command line, or sit in front "
    "of the machine, and rehearse again";

struct CaptureReport {
  std::string result, failed_step, error;
  CaptureFigures figures;
};

Result<CaptureReport> parse_report(std::string_view text) {
  KD_TRY(const Json json, parse_json(text, kdinit::kMaxReportBytes));
  CaptureReport report;
  std::string problem;
  JsonObject object(json, "", problem);
  object.read("result", report.result);
  object.read("failed_step", report.failed_step);
  object.read("error", report.error);
  object.read("dump_bytes", report.figures.dump_bytes);
  object.read_array("steps", [&](const Json& element, const std::string& path) {
    JsonObject step(element, path, problem);
    CaptureStep& figures = report.figures.steps.emplace_back();
    std::uint64_t start = 0, end = 0;
    step.read("name", figures.name);
    step.read("start_ms", start);
    step.read("end_ms", end);
    step.read("lowest_available_kib", figures.available_kib);
    figures.milliseconds = end - std::min(start, end);
    report.figures.milliseconds = end;
  });
  if (!problem.empty()) return fail(ErrorKind::kFailed, "{}", problem);
  return report;
}

Rehearsal ended(Rehearsal rehearsal, Rehearsal::State state, std::string why) {
  rehearsal.state = state;
  rehearsal.why = std::move(why);
  return rehearsal;
}

Rehearsal without_dump(Rehearsal rehearsal, const AfterReboot& now) {
  using State = Rehearsal::State;
  const std::string crash =
      now.newest_run == rehearsal.newest_run
          ? std::string()
          : fmt::format("; {} was saved since, and is not of a rehearsal", now.newest_run);
  if (rehearsal.state == State::kArmed) {
    return ended(std::move(rehearsal), State::kNotShown,
                 "this boot did not begin with the reboot that was armed" + crash);
  }
  return ended(std::move(rehearsal), State::kFailed,
               fmt::format("nothing was saved, no dump was found: the machine did not crash, lost "
                           "power on the way, or the capture failed; {}{}",
                           kWatch, crash));
}

std::string cut_off_in(const CaptureReport& report) {
  return report.figures.steps.empty() ? std::string()
                                      : " after step " + report.figures.steps.back().name;
}

const CaptureStep* tightest(const CaptureFigures& figures) {
  const auto least = std::ranges::min_element(figures.steps, {}, &CaptureStep::available_kib);
  return least == figures.steps.end() ? nullptr : &*least;
}

std::string figures_text(const CaptureFigures& figures) {
  std::string text = fmt::format("{} KiB saved in {:.1f} s", figures.dump_bytes / 1024,
                                 static_cast<double>(figures.milliseconds) / 1000);
  if (const CaptureStep* step = tightest(figures)) {
    text += fmt::format(", {} MiB were left at the least (step {})", step->available_kib / 1024,
                        step->name);
  }
  return text;
}

}  // namespace

std::vector<std::string> changes(const CaptureSetup& then, const CaptureSetup& now) {
  std::vector<std::string> found;
  const auto differs = [&found](const auto& a, const auto& b, std::string what) {
    if (a != b) found.push_back(std::move(what));
  };
  differs(then.running, now.running,
          fmt::format("kernel {} was rehearsed, {} runs", then.running, now.running));
  differs(then.kernel, now.kernel, "the capture kernel is another one");
  differs(then.image, now.image, "the image is another one");
  differs(then.command_line, now.command_line, "the command line of the capture is another one");
  differs(then.reservation, now.reservation,
          fmt::format("the reservation was {} MiB and is {} MiB", then.reservation >> 20,
                      now.reservation >> 20));
  differs(then.target, now.target,
          fmt::format("the target was {} and is {}", then.target, now.target));
  return found;
}

std::uint64_t kernel_memory_in_use(std::string_view meminfo) {
  const auto kib = [meminfo](std::string_view key) -> std::uint64_t {
    const std::size_t at = meminfo.find(key);
    if (at == std::string_view::npos) return 0;
    const std::size_t digit = meminfo.find_first_of("0123456789", at + key.size());
    std::uint64_t value = 0;
    if (digit != std::string_view::npos) {
      std::from_chars(meminfo.data() + digit, meminfo.data() + meminfo.size(), value);
    }
    return value;
  };
  const std::uint64_t total = kib("MemTotal:");
  // Shared memory and tmpfs are in Cached, a swapped out page that is still there in SwapCached.
  const std::uint64_t others =
      kib("MemFree:") + kib("Buffers:") + kib("\nCached:") + kib("SwapCached:") + kib("AnonPages:");
  return (total - std::min(total, others)) * 1024;
}

std::vector<std::string> refusals(const Readiness& readiness) {
  std::vector<std::string> found = readiness.reasons;
  const auto refuse = [&found](bool problem, std::string what) {
    if (problem) found.push_back(std::move(what));
  };
  refuse(!readiness.systemd,
         "this system is not run by systemd, which starts the crash when "
         "everything else has ended");
  refuse(!readiness.shutdown_program,
         "the program that crashes the machine is missing; install kdump-mkinitrd again");
  refuse(!readiness.sysrq,
         "there is no /proc/sysrq-trigger to crash this kernel with; it needs "
         "CONFIG_MAGIC_SYSRQ=y, which Debian's kernels have");
  refuse(readiness.kernel_log == "off",
         "kernel.printk_devkmsg is off: the rehearsal could not be marked in the kernel log; boot "
         "without printk.devkmsg=off");
  refuse(!readiness.saves_log,
         "KDUMP_DUMP_DMESG=0 leaves the kernel log out, by which a rehearsal "
         "is told from a crash; set it to 1");
  refuse(
      readiness.reasons.empty() && std::ranges::find(readiness.would_load, readiness.loaded_by) ==
                                       readiness.would_load.end(),
      "the kdump kernel was loaded in another way than it would be now; kdump-config reload");
  refuse(readiness.space < readiness.dump_bytes,
         fmt::format("{} has {} MiB free and the dump may get {} MiB; make room there",
                     readiness.directory, readiness.space >> 20, readiness.dump_bytes >> 20));
  return found;
}

Rehearsal begin(Rehearsal rehearsal, const AtShutdown& now) {
  using State = Rehearsal::State;
  if (rehearsal.state != State::kArmed || rehearsal.boot_id != now.boot_id) return rehearsal;
  std::string why;
  if (!now.rebooting) {
    why = "the machine was not restarted with systemctl reboot, but stopped or started by kexec";
  } else if (!now.loaded) {
    why = "no kdump kernel was loaded any more";
  } else if (!now.problem.empty()) {
    why = now.problem;
  } else if (const auto changed = changes(rehearsal.setup, now.setup); !changed.empty()) {
    why = fmt::format("changed since it was armed: {}", fmt::join(changed, "; "));
  } else if (const auto refused = refusals(now.readiness); !refused.empty()) {
    why = fmt::format("{}", fmt::join(refused, "; "));
  }
  if (!why.empty()) return ended(std::move(rehearsal), State::kNotShown, std::move(why));
  rehearsal.state = State::kBegun;
  return rehearsal;
}

Rehearsal settle(Rehearsal rehearsal, const AfterReboot& now) {
  using State = Rehearsal::State;
  if (!rehearsal.is_pending() || rehearsal.boot_id == now.boot_id) return rehearsal;
  if (now.run.empty()) return without_dump(std::move(rehearsal), now);
  rehearsal.run = now.run;
  const Result<CaptureReport> report = parse_report(now.report);
  if (!report) {
    return ended(std::move(rehearsal), State::kNotShown,
                 "the capture was cut off by a loss of power, a reset or a watchdog: it left no "
                 "report");
  }
  rehearsal.figures = report->figures;
  if (report->result == "unfinished") {
    return ended(std::move(rehearsal), State::kNotShown,
                 fmt::format("the capture was cut off{} by a loss of power, a reset or a watchdog",
                             cut_off_in(*report)));
  }
  const std::string error = report->error.empty()
                                ? std::string()
                                : fmt::format("{}: {}", report->failed_step, report->error);
  if (!report->result.starts_with("saved")) {
    return ended(std::move(rehearsal), State::kFailed,
                 fmt::format("no whole dump was saved ({}): {}", report->result, error));
  }
  if (now.target != rehearsal.setup.target) {
    const std::string why =
        fmt::format("the dump is on {} and was meant for {}", now.target, rehearsal.setup.target);
    return ended(std::move(rehearsal), State::kFailed, why);
  }
  // A second try or the real root has helped.
  return ended(std::move(rehearsal), State::kSaved, error);
}

Rehearsal judge(Rehearsal rehearsal, std::string_view result, std::string_view reason) {
  using State = Rehearsal::State;
  if (rehearsal.state != State::kSaved) return rehearsal;
  if (result != "whole" && result != "partly checked") {
    const std::string why =
        fmt::format("the dump is {}: {}", result.empty() ? "not readable" : result, reason);
    return ended(std::move(rehearsal), State::kFailed, why);
  }
  std::string seen = rehearsal.why;
  if (!reason.empty()) seen += fmt::format("{}{}", seen.empty() ? "" : "; ", reason);
  return ended(std::move(rehearsal), State::kPassed, std::move(seen));
}

std::string announcement(const Rehearsal& rehearsal, std::string_view directory) {
  return fmt::format(
      "The next reboot is a rehearsal of a crash. Go on with: systemctl reboot\n"
      "- When all services have ended and the file systems are unmounted or read-only, the kernel "
      "panics on purpose.\n"
      "- The kdump kernel saves a dump to {} ({}) and restarts the machine. That takes the time of "
      "a capture; one that hangs needs somebody at the console or the power switch.\n"
      "- The next boot reads the dump, tells in kdump-config status, and removes the dump.\n"
      "Only the next reboot, and only if systemd does it to its end: nothing happens at poweroff, "
      "halt, kexec, reboot --force, or a crash before. kdump-config rehearse --cancel takes it "
      "back.",
      directory, rehearsal.setup.target);
}

bool counts(const Rehearsal& rehearsal, const std::optional<CaptureSetup>& now) {
  return rehearsal.state == Rehearsal::State::kPassed && now &&
         changes(rehearsal.setup, *now).empty();
}

std::string describe(const Rehearsal& rehearsal, std::string_view boot_id,
                     const std::optional<CaptureSetup>& now) {
  using State = Rehearsal::State;
  switch (rehearsal.state) {
    case State::kArmed:
    case State::kBegun:
      return rehearsal.boot_id == boot_id
                 ? fmt::format(
                       "armed on {}: systemctl reboot crashes this machine on purpose, "
                       "kdump-config rehearse --cancel takes it back",
                       rehearsal.date)
                 : fmt::format("of {}, not judged yet; kdump-config load does it", rehearsal.date);
    case State::kSaved:
      return fmt::format("of {}: {}; the dump is being read", rehearsal.date,
                         figures_text(rehearsal.figures));
    case State::kFailed:
      return fmt::format("of {} FAILED: {}{}", rehearsal.date, rehearsal.why,
                         rehearsal.run.empty() ? "" : "; see " + rehearsal.run);
    case State::kNotShown:
      return fmt::format("of {} has shown nothing: {}", rehearsal.date, rehearsal.why);
    case State::kPassed:
      break;
  }
  const std::string with = fmt::format("dump whole, {}{}", figures_text(rehearsal.figures),
                                       rehearsal.why.empty() ? "" : "; " + rehearsal.why);
  if (counts(rehearsal, now)) {
    return fmt::format("rehearsed on {} with this kernel and image: {}", rehearsal.date, with);
  }
  return fmt::format("rehearsed on {}, which no longer counts: {} ({})", rehearsal.date,
                     now ? fmt::format("{}", fmt::join(changes(rehearsal.setup, *now), "; "))
                         : "it is not known what would be loaded now",
                     with);
}

std::string step_lines(const CaptureFigures& figures) {
  std::string text;
  for (const CaptureStep& step : figures.steps) {
    text += fmt::format("   {:<10} {:7.2f} s, {} MiB left\n", step.name,
                        static_cast<double>(step.milliseconds) / 1000, step.available_kib / 1024);
  }
  return text;
}

std::string_view name_of(Rehearsal::State state) {
  using State = Rehearsal::State;
  switch (state) {
    case State::kArmed:
      return "armed";
    case State::kBegun:
      return "begun";
    case State::kSaved:
      return "saved";
    case State::kPassed:
      return "passed";
    case State::kFailed:
      return "failed";
    case State::kNotShown:
      break;
  }
  return "not shown";
}

}  // namespace kd
