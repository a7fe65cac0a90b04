// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/rehearse.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <iterator>

#include "builder/base/atomic_file.h"
#include "builder/base/digest.h"
#include "builder/base/path.h"
#include "builder/facts/gather.h"
#include "builder/init/dump_directory.h"
#include "builder/init/report.h"
#include "hooks/candidates.h"
#include "hooks/dumps.h"
#include "hooks/learn.h"
#include "hooks/rehearsal_crash.h"
#include "hooks/status.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnit = "kdump-tools-rehearse.service";
// Names that are not those of a capture: nothing counts, verifies or deletes them but this file.
constexpr std::string_view kPutApart = "rehearsal-";
// The kernel log has 128 KiB to 32 MiB (CONFIG_LOG_BUF_SHIFT, log_buf_len=).
constexpr std::uint64_t kLargestLog = std::uint64_t{64} << 20;
constexpr std::size_t kMostRuns = 20;

std::string boot_id(const Context& context) { return first_line(context.reader, kBootId); }

std::optional<Rehearsal> read_record(const FileReader& reader) {
  const Result<std::string> text = reader.read(kRehearsalRecord);
  if (!text) return std::nullopt;
  Result<Rehearsal> rehearsal = rehearsal_from_json(*text);
  return rehearsal ? std::optional(*std::move(rehearsal)) : std::nullopt;
}

Result<void> put(const Context& context, std::string_view path, const std::string& text) {
  KD_TRY(const std::string host, writable_path(context, std::string(path)));
  KD_TRY(AtomicFile file, AtomicFile::create(host));
  return write_file(file, text);
}

Result<void> keep(const Context& context, const Rehearsal& rehearsal) {
  return put(context, kRehearsalRecord, rehearsal_to_json(rehearsal));
}

// After that the machine is going to crash.
Result<void> mark_begun(const Context& context, const Rehearsal& rehearsal) {
  return put(context, kRehearsalBegun, rehearsal.boot_id + "\n");
}

void remove(const Context& context, std::string_view path) {
  std::error_code ignored;
  if (const Result<std::string> host = context.reader.host_path(path)) fs::remove(*host, ignored);
}

std::string describe_target(const Context& context, const KdumpConfig& config) {
  const Result<MachineFacts> machine = gather_machine(context.reader, config.core_dir);
  if (!machine) return {};
  const DumpMount& mount = machine->dump_mount;
  return fmt::format("{} {} at {}", mount.fs_type, mount.uuid, mount.mount_point);
}

Result<CaptureSetup> read_setup(const Context& context, const KdumpState& state,
                                const LoadPlan& plan) {
  KD_TRY(const FileDigest kernel, digest_of_file(context.reader, plan.kernel_file));
  KD_TRY(const FileDigest image, digest_of_file(context.reader, plan.initrd_file));
  return CaptureSetup{.running = state.running,
                      .kernel = kernel.digest,
                      .image = image.digest,
                      .command_line = digest(plan.command_line.text),
                      .reservation = state.reservation,
                      .target = describe_target(context, state.config)};
}

std::string newest_run(const Context& context, const KdumpConfig& config) {
  const std::vector<std::string> runs = list_runs(context.reader, config);
  return runs.empty() ? std::string() : runs.front();
}

bool is_shutdown_program_installed(const FileReader& reader) {
  return reader.exists("/usr/lib/systemd/system-shutdown/kdump-tools.shutdown") ||
         reader.exists("/lib/systemd/system-shutdown/kdump-tools.shutdown");
}

Readiness read_readiness(const Context& context, const KdumpState& state, const LoadPlan* plan,
                         std::uint64_t space) {
  const FileReader& reader = context.reader;
  Readiness readiness{.reasons = {},
                      .systemd = reader.exists("/run/systemd/system"),
                      .shutdown_program = is_shutdown_program_installed(reader),
                      .sysrq = reader.exists("/proc/sysrq-trigger"),
                      .kernel_log = first_line(reader, "/proc/sys/kernel/printk_devkmsg"),
                      .saves_log = state.config.dump_dmesg,
                      .loaded_by = first_line(reader, kLoadedMark),
                      .would_load = {},
                      .dump_bytes = kernel_memory_in_use(reader.read("/proc/meminfo").value_or("")),
                      .space = space,
                      .directory = state.config.core_dir};
  if (plan != nullptr) {
    for (const auto& command : plan->commands) {
      readiness.would_load.push_back(describe_command(command));
    }
  }
  return readiness;
}

// Since it was armed, a disk may have filled up, or an administrator have switched the log off.
Result<void> read_setup_and_readiness(const Context& context, AtShutdown& now) {
  KD_TRY(const KdumpState state, read_state(context.reader, context.config_path));
  const KernelChoice choice = choose_capture_kernel(context, choice_inputs(state));
  KD_TRY(const LoadPlan plan, plan_load(context, state, choice));
  KD_TRY(now.setup, read_setup(context, state, plan));
  now.readiness =
      read_readiness(context, state, &plan, free_space(context.reader, state.config.core_dir));
  return {};
}

Result<void> run_systemctl(const Context& context, std::string_view verb) {
  const std::optional<std::string> systemctl = context.runner.find("systemctl");
  if (!systemctl) return fail(ErrorKind::kFailed, "systemctl is missing");
  KD_TRY(const ProgramOutcome done,
         context.runner.run({*systemctl, std::string(verb), std::string(kUnit)}));
  if (done.status == 0) return {};
  return fail(ErrorKind::kFailed, "systemctl {} {}: {}", verb, kUnit, done.output);
}

bool is_rebooting(const Context& context) {
  const std::optional<std::string> systemctl = context.runner.find("systemctl");
  if (!systemctl) return false;
  const Result<ProgramOutcome> job =
      context.runner.run({*systemctl, "show", "--property=Job", "--value", "reboot.target"});
  // The number of the job; 0 or nothing without one.
  return job && job->status == 0 && job->output.find_first_of("123456789") != std::string::npos;
}

// The host's path of a directory or file (S_IFDIR, S_IFREG) of ours, no link; empty: it is not. In
// a world-writable /var/crash anybody may have made one of that name.
std::string own_path(const Context& context, const std::string& path, unsigned type) {
  const std::string_view name = base_name(path);
  const Result<std::string> parent =
      context.reader.host_path(path.substr(0, path.size() - name.size()));
  if (!parent) return {};
  std::string host = fmt::format("{}/{}", *parent, name);
  return kdinit::is_own(AT_FDCWD, host.c_str(), type) ? host : std::string();
}

// Empty where that is none of ours, or larger.
std::string read_own(const Context& context, const std::string& path, std::uint64_t largest) {
  const Result<FileStatus> file = context.reader.status(path);
  if (own_path(context, path, S_IFREG).empty() || !file || file->size > largest) return {};
  return context.reader.read(path).value_or("");
}

// The log of a capture, "dmesg.STAMP", has the line of crash_for_rehearsal().
bool has_mark(const Context& context, const std::string& run, const std::string& mark) {
  std::string_view stamp = base_name(run);
  if (stamp.starts_with(kPutApart)) stamp.remove_prefix(kPutApart.size());
  const std::string log = fmt::format("{}/dmesg.{}", run, stamp);
  return read_own(context, log, kLargestLog).find(mark) != std::string::npos;
}

// Power may have been lost when a dump was put apart and the record did not say so yet.
std::vector<std::string> list_put_apart(const Context& context, const KdumpConfig& config) {
  std::vector<std::string> found;
  for (const std::string& name :
       context.reader.list(config.core_dir).value_or(std::vector<std::string>{})) {
    std::string path = fmt::format("{}/{}", config.core_dir, name);
    if (name.starts_with(kPutApart) && kdinit::is_run_name(name.substr(kPutApart.size())) &&
        !own_path(context, path, S_IFDIR).empty()) {
      found.push_back(std::move(path));
    }
  }
  std::ranges::reverse(found);  // the newest first, as those of list_runs()
  return found;
}

// Looks at one log in each of the newest directories.
std::string run_of(const Context& context, const KdumpConfig& config, const Rehearsal& rehearsal) {
  const std::string mark = std::string(kdinit::kRehearsalMark) + rehearsal.boot_id;
  std::vector<std::string> runs = list_put_apart(context, config);
  std::ranges::move(list_runs(context.reader, config), std::back_inserter(runs));
  if (runs.size() > kMostRuns) runs.resize(kMostRuns);
  for (const std::string& run : runs) {
    if (has_mark(context, run, mark)) return run;
  }
  return {};
}

std::string apart(const std::string& run) {
  const std::string_view name = base_name(run);
  return fmt::format("{}{}{}", run.substr(0, run.size() - name.size()), kPutApart, name);
}

// "/var/crash/202611281305" becomes "/var/crash/rehearsal-202611281305". Returns where it is then.
Result<std::string> put_apart(const Context& context, const std::string& run) {
  if (base_name(run).starts_with(kPutApart)) return run;
  KD_TRY(const std::string from, context.reader.host_path(run));
  const std::string to = apart(from);
  // In a world-writable directory somebody else may have made one of that name.
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    return fail_errno(errno, to);
  }
  return apart(run);
}

// Only a directory that put_apart() can have made.
void remove_run(const Context& context, const std::string& run) {
  const std::string host = own_path(context, run, S_IFDIR);
  if (host.empty() || !base_name(run).starts_with(kPutApart)) return;
  std::error_code error;
  fs::remove_all(host, error);
  if (error) context.say(fmt::format("{}: {}, ignoring", run, error.message()));
}

std::string now_text() {
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(std::time(nullptr)));
}

// The caller holds the lock.
Result<void> arm(const Context& context) {
  KD_TRY(const StatusFacts facts, gather_status(context));
  Readiness readiness =
      read_readiness(context, facts.state, facts.plan ? &*facts.plan : nullptr, facts.dump.space);
  readiness.reasons = assess(facts).reasons;
  if (const auto found = refusals(readiness); !found.empty()) {
    return fail(ErrorKind::kFailed, "not armed, nothing is going to happen:\n  {}",
                fmt::join(found, "\n  "));
  }
  if (const std::optional<Rehearsal> before = read_record(context.reader)) {
    if (!before->run.empty()) remove_run(context, before->run);
  }
  Rehearsal rehearsal{.boot_id = boot_id(context),
                      .date = now_text(),
                      .newest_run = newest_run(context, facts.state.config),
                      .setup = {},
                      .figures = {},
                      .why = {},
                      .run = {}};
  KD_TRY(rehearsal.setup, read_setup(context, facts.state, *facts.plan));
  context.say(announcement(rehearsal, facts.state.config.core_dir));
  KD_CHECK(keep(context, rehearsal));
  return run_systemctl(context, "start");
}

// What was armed in this boot, if something was. The caller holds the lock, and stops the unit
// without it: that begins a rehearsal, which is not there any more, and takes the lock for that.
bool take_back(const Context& context) {
  const std::optional<Rehearsal> rehearsal = read_record(context.reader);
  if (!rehearsal || !rehearsal->is_pending() || rehearsal->boot_id != boot_id(context)) {
    return false;
  }
  remove(context, kRehearsalBegun);
  remove(context, kRehearsalRecord);
  return true;
}

}  // namespace

Result<void> arm_rehearsal(const Context& context) {
  Result<void> armed;
  {
    KD_TRY(const FileLock held, take_lock(context));
    armed = arm(context);
    // Nor is one going to happen that was armed before.
    if (armed || !take_back(context)) return armed;
  }
  if (const Result<void> stopped = run_systemctl(context, "stop"); !stopped) {
    context.say(stopped.error().message + ", ignoring");
  }
  return armed;
}

Result<void> cancel_rehearsal(const Context& context) {
  {
    KD_TRY(const FileLock held, take_lock(context));
    if (!take_back(context)) {
      context.say("no rehearsal is armed");
      return {};
    }
  }
  context.say("the next reboot is an ordinary one");
  return run_systemctl(context, "stop");
}

Result<void> begin_rehearsal(const Context& context) {
  KD_TRY(const FileLock held, take_lock(context));
  const std::optional<Rehearsal> armed = read_record(context.reader);
  if (!armed || armed->state != Rehearsal::State::kArmed) return {};
  AtShutdown now{.boot_id = boot_id(context),
                 .rebooting = is_rebooting(context),
                 .loaded = crash_kernel_loaded(context.reader),
                 .setup = {},
                 .readiness = {},
                 .problem = {}};
  if (const Result<void> read = read_setup_and_readiness(context, now); !read) {
    now.problem = read.error().message;
  }
  const Rehearsal begun = begin(*armed, now);
  if (begun == *armed) return {};
  if (begun.state != Rehearsal::State::kBegun) {
    KD_CHECK(keep(context, begun));
    context.say("rehearsal: nothing is shown: " + begun.why);
    return {};
  }
  // A record that says begun tells of a crash, and no crash is without such a record.
  KD_CHECK(mark_begun(context, begun));
  if (Result<void> kept = keep(context, begun); !kept) {
    remove(context, kRehearsalBegun);
    return kept;
  }
  context.say("rehearsal: this machine is going to crash on purpose when everything has ended");
  return {};
}

Result<void> settle_rehearsal(const Context& context) {
  const std::optional<Rehearsal> before = read_record(context.reader);
  const std::string id = boot_id(context);
  if (!before || !before->is_pending() || before->boot_id == id) return {};
  KD_TRY(const KdumpConfig config, read_kdump_config(context.reader, context.config_path));
  AfterReboot now{.boot_id = id,
                  .newest_run = newest_run(context, config),
                  .run = run_of(context, config, *before),
                  .report = {},
                  .target = describe_target(context, config)};
  if (!now.run.empty()) {
    now.report = read_own(context, fmt::format("{}/{}", now.run, kdinit::kReportName),
                          kdinit::kMaxReportBytes);
    if (const Result<void> learned = learn(context, config); !learned) {
      context.say(learned.error().message + ", ignoring");
    }
    KD_TRY(now.run, put_apart(context, now.run));
  }
  const Rehearsal settled = settle(*before, now);
  KD_CHECK(keep(context, settled));
  context.say("rehearsal: " + describe(settled, id, std::nullopt));
  return {};
}

bool is_waiting_for_judgement(const FileReader& reader) {
  const std::optional<Rehearsal> rehearsal = read_record(reader);
  return rehearsal && rehearsal->state == Rehearsal::State::kSaved;
}

Result<void> judge_rehearsal(const Context& context) {
  const std::optional<Rehearsal> saved = read_record(context.reader);
  if (!saved || saved->state != Rehearsal::State::kSaved) return {};
  Dump dump{.path = saved->run, .result = {}, .reason = {}};
  if (Result<Dump> read = verify_run(context, saved->run)) {
    dump = *std::move(read);
  } else {
    dump.reason = read.error().message;
  }
  KD_TRY(const FileLock held, take_lock(context));
  if (read_record(context.reader) != saved) return {};  // the next one was armed meanwhile
  Rehearsal judged = judge(*saved, dump.result, dump.reason);
  if (judged.state == Rehearsal::State::kPassed) {
    remove_run(context, judged.run);
    judged.run.clear();
  }
  KD_CHECK(keep(context, judged));
  // Whether it still counts, status tells: the unit that runs this sees no devices.
  context.say("rehearsal: " + describe(judged, boot_id(context), judged.setup));
  return {};
}

std::optional<RehearsalStatus> rehearsal_status(const Context& context, const KdumpState& state,
                                                const Result<LoadPlan>& plan) {
  const std::optional<Rehearsal> record = read_record(context.reader);
  if (!record) return std::nullopt;
  std::optional<CaptureSetup> now;
  if (plan && record->state == Rehearsal::State::kPassed) {
    if (Result<CaptureSetup> setup = read_setup(context, state, *plan)) now = *std::move(setup);
  }
  return RehearsalStatus{.record = *record,
                         .counts = counts(*record, now),
                         .text = describe(*record, boot_id(context), now)};
}

}  // namespace kd
