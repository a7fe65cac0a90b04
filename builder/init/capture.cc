// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/dump_directory.h"
#include "builder/init/module_options.h"
#include "builder/init/storage/file_system.h"

namespace kdinit {
namespace {

constexpr std::string_view kFirstTry = "dump-incomplete-first";
constexpr std::string_view kIncompleteDmesg = "dmesg-incomplete";
constexpr unsigned kConsoleTailLines = 100;

std::uint64_t mib(std::uint64_t kib) { return kib / 1024; }

class Capture {
 public:
  Capture(const InitConfig& config, System& system, const Places& places, Report& report)
      : config_(config), system_(system), places_(places), report_(report) {}
  void run();

 private:
  // Every step says what it did and returns false when it failed.
  bool apply_sysctls();
  bool check_vmcore();
  bool load_modules();
  bool unpack_programs();
  bool find_target();
  bool mount_target();
  bool make_directory();
  bool save_dmesg();
  bool save_dump();
  bool delete_old_dumps();
  bool unmount_target();
  bool show_dmesg();

  bool step(std::string_view name, bool (Capture::*function)());
  enum class Attempt { kSaved, kFailed, kGivenUp };
  Attempt try_dump(const List<std::string_view, kMaxArguments>& arguments);
  Attempt give_up_dump(const ChildResult& result);
  bool retry_dump();
  void save();
  void say_free_space();
  void write_report(bool with_room);
  template <typename... Parts>
  void say_here(const Parts&... parts) {
    say(system_, step_, parts...);
  }
  // Says it, and keeps it for the report.
  template <typename... Parts>
  bool fail(const Parts&... parts) {
    const Text<200> message(parts...);
    say(system_, step_, "FAILED: ", message.view());
    report_.add_failure(step_, message.view());
    return false;
  }
  [[nodiscard]] std::string_view directory() const { return directory_.view(); }
  [[nodiscard]] Path in_directory(std::string_view name) const;
  [[nodiscard]] std::uint64_t room_for_dump();

  const InitConfig& config_;
  System& system_;
  const Places& places_;
  Report& report_;
  std::string_view step_;
  Candidates candidates_;
  Path directory_;                    // of this run, on the target
  std::uint64_t largest_ = kNoLimit;  // bytes of the dump that is being tried
};

void Capture::run() {
  report_.at_start = report_.lowest = system_.memory();
  report_.image_kernel = config_.kernel;
  report_.dump_note = config_.dump_note;
  step("sysctl", &Capture::apply_sysctls);
  if (config_.capture == CaptureMode::kRootfs) {
    step("modules", &Capture::load_modules);
    return;
  }
  if (!step("vmcore", &Capture::check_vmcore)) {
    report_.result = Result::kFailed;
    return;
  }
  step("modules", &Capture::load_modules);
  if (config_.packed.count > 0) step("unpack", &Capture::unpack_programs);
  const bool mounted = step("target", &Capture::find_target) &&  //
                       step("mount", &Capture::mount_target);
  if (mounted && step("directory", &Capture::make_directory)) {
    save();
  } else {
    report_.result = Result::kFailed;
    step("console", &Capture::show_dmesg);
    write_report(false);
  }
  if (mounted && !report_.target_stalled) step("unmount", &Capture::unmount_target);
  say(system_, "result", name_of(report_.result), "; lowest memory ", mib(report_.lowest.free),
      " MiB free, ", mib(report_.lowest.available), " MiB available");
}

void Capture::save() {
  const bool want_dmesg = config_.dmesg_only || !config_.skip_dmesg;
  if (want_dmesg) report_.dmesg_saved = step("dmesg", &Capture::save_dmesg);
  write_report(true);  // stays, as "unfinished", when the dump takes the machine down
  if (config_.dmesg_only) {
    report_.result = report_.dmesg_saved ? Result::kSaved : Result::kFailed;
  } else if (!step("dump", &Capture::save_dump)) {
    // The log may not have been asked for, but it is better than nothing.
    if (!want_dmesg && !report_.target_stalled) {
      report_.dmesg_saved = step("dmesg", &Capture::save_dmesg);
    }
    report_.incomplete_bytes = size_of(in_directory(kIncompleteDump).c_str());
    report_.result = report_.incomplete_bytes > 0 ? Result::kIncomplete
                     : report_.dmesg_saved        ? Result::kDmesgOnly
                                                  : Result::kFailed;
  }
  // No dump of a real crash goes for one that is removed when it was looked at. Without its log
  // nobody knows which one this is; where none is wanted, no rehearsal is armed.
  if (is_saved(report_.result) && config_.keep_dumps > 0 && !report_.rehearsal &&
      report_.dmesg_saved == want_dmesg) {
    step("retention", &Capture::delete_old_dumps);
  }
  write_report(false);
}

bool Capture::step(std::string_view name, bool (Capture::*function)()) {
  step_ = name;
  StepRecord record{
      .name = name, .start_ms = system_.now_ms(), .end_ms = 0, .after = {}, .lowest = {}};
  system_.take_lowest_memory();
  const bool ok = (this->*function)();
  record.after = system_.memory();
  record.lowest = system_.take_lowest_memory();
  record.end_ms = system_.now_ms();
  report_.lowest = lowest(report_.lowest, record.lowest);
  if (report_.step_count < std::size(report_.steps)) report_.steps[report_.step_count++] = record;
  return ok;
}

bool Capture::apply_sysctls() {
  for (const std::string_view line : config_.sysctls) {
    const std::size_t equals = line.find('=');
    const Path path("/proc/sys/", line.substr(0, equals));
    if (const int error = system_.write_sysctl(path.c_str(), line.substr(equals + 1))) {
      say_here(line, ": ", ::strerror(error), ", ignoring");
    }
  }
  return true;
}

bool Capture::check_vmcore() {
  const Path vmcore(places_.vmcore);
  if (::access(vmcore.c_str(), R_OK) != 0) {
    return fail("no crashed kernel to save, ", vmcore.view(), ": ", ::strerror(errno),
                "; this image is started by kexec after a crash");
  }
  report_.vmcore_bytes = size_of(vmcore.c_str());
  say_here(mib(report_.vmcore_bytes / 1024), " MiB of memory of the crashed kernel");
  return true;
}

bool Capture::load_modules() {
  for (const ModuleLine& module : config_.modules) {
    if (module.for_root) continue;
    system_.tick();
    const int error = load_module(system_, module, places_.command_line);
    if (error) {
      ++report_.modules_failed;
      say_here(module.path, ": ", ::strerror(error), ", going on without it");
    } else {
      ++report_.modules_loaded;
    }
  }
  const Memory memory = system_.memory();
  say_here(report_.modules_loaded, " loaded, ", report_.modules_failed, " failed, ",
           mib(memory.free), " MiB free");
  return report_.modules_failed == 0;
}

bool Capture::unpack_programs() {
  for (const std::string_view path : config_.packed) {
    system_.tick();
    if (const int error = system_.unpack(Path(path).c_str())) {
      return fail(path, ": ", ::strerror(error));
    }
  }
  say_here(config_.packed.count, " files, ", mib(system_.memory().free), " MiB free");
  return true;
}

bool Capture::find_target() {
  Text<200> error;
  return find_devices(config_.target, config_, step_, system_, candidates_, error) ||
         fail(error.view());
}

bool Capture::mount_target() {
  Text<200> error;
  report_.target_mounted = mount_first(config_.target, candidates_, places_.mount_point,
                                       MountUse::kData, step_, "target", system_, error);
  return report_.target_mounted || fail(error.view());
}

bool Capture::make_directory() {
  const Path base(places_.mount_point, config_.dump_directory);
  Text<16> stamp;
  put_stamp(system_.wall_clock(), config_.time_zone, stamp);
  const int error = make_run_directory(base.view(), stamp.view(), report_.stamp);
  if (error) {
    return fail("cannot create ", config_.dump_directory, '/', stamp.view(), ": ",
                ::strerror(error));
  }
  directory_.put(base.view(), '/', report_.stamp.view());
  say_here(config_.dump_directory, '/', report_.stamp.view());
  return true;
}

bool Capture::save_dmesg() {
  const Path incomplete = in_directory(kIncompleteDmesg);
  Command command;
  command.arguments.add("makedumpfile");
  for (std::string_view part :
       {std::string_view("--dump-dmesg"), places_.vmcore, incomplete.view()}) {
    command.arguments.add(part);
  }
  // Written at once at the end: without growth this is a limit for the whole run.
  command.grows.put(incomplete.view());
  command.stall_timeout = config_.stall_timeout;
  const ChildResult result = system_.run(command);
  report_.target_stalled = result.stalled;
  if (!result.ok()) {
    if (!result.stalled) ::unlink(incomplete.c_str());
    Text<160> why;
    result.describe(why);
    return fail("makedumpfile --dump-dmesg ", why.view());
  }
  const Text<64> name("dmesg.", report_.stamp.view());
  if (const int error = publish_file(directory(), kIncompleteDmesg, name.view())) {
    ::unlink(incomplete.c_str());
    return fail(name.view(), ": ", ::strerror(error));
  }
  const Path log = in_directory(name.view());
  say_here("saved ", name.view(), ", ", size_of(log.c_str()) / 1024, " KiB");
  report_.rehearsal = is_of_rehearsal(log.c_str());
  if (report_.rehearsal) say_here("this is a rehearsal: kdump-config removes the dump afterwards");
  return true;
}

Path Capture::in_directory(std::string_view name) const { return Path(directory(), "/", name); }

bool Capture::save_dump() {
  if (report_.target_stalled) return fail("nothing more is written to a disk that does not answer");
  say_free_space();
  switch (try_dump(config_.dump_arguments)) {
    case Attempt::kSaved:
      report_.result = Result::kSaved;
      return true;
    case Attempt::kFailed:
      return !config_.retry_arguments.empty() && retry_dump();
    case Attempt::kGivenUp:
      break;
  }
  return false;
}

// What the first try has written is kept until the second has done better.
bool Capture::retry_dump() {
  say_here("trying again with the retry arguments");
  const Path first = in_directory(kFirstTry);
  const Path second = in_directory(kIncompleteDump);
  ::rename(second.c_str(), first.c_str());
  const Attempt attempt = try_dump(config_.retry_arguments);
  const bool first_is_more = size_of(first.c_str()) > size_of(second.c_str());
  if (attempt != Attempt::kSaved && first_is_more) {
    ::rename(first.c_str(), second.c_str());
  } else if (!report_.target_stalled) {
    ::unlink(first.c_str());
  }
  if (attempt == Attempt::kSaved) report_.result = Result::kSavedWithRetry;
  return attempt == Attempt::kSaved;
}

void Capture::say_free_space() {
  if (system_.free_bytes(directory_.c_str(), report_.free_bytes) != 0) return;
  report_.free_bytes = std::min(report_.free_bytes, system_.room());
  say_here(mib(report_.free_bytes / 1024), " MiB free on the target");
}

// A file system takes more than the pool below it has room for, and loses that or itself later.
std::uint64_t Capture::room_for_dump() {
  const std::uint64_t room = system_.room(), kept = size_of(in_directory(kFirstTry).c_str());
  return room == kNoLimit ? room : room - std::min(room, kept);
}

Capture::Attempt Capture::try_dump(const List<std::string_view, kMaxArguments>& arguments) {
  Command command;
  command.arguments.add("makedumpfile");
  for (const std::string_view argument : arguments) command.arguments.add(argument);
  command.arguments.add(places_.vmcore);
  command.grows.put(directory(), "/", kIncompleteDump);
  command.arguments.add(command.grows.view());
  command.stall_timeout = config_.stall_timeout;
  command.largest_file = largest_ = room_for_dump();
  Text<256> line;
  command.arguments.describe(line);
  say_here(line.view());

  const ChildResult result = system_.run(command);
  report_.makedumpfile_max_rss = std::max(report_.makedumpfile_max_rss, result.max_rss);
  if (!result.ok()) return give_up_dump(result);
  const Text<64> name("dump.", report_.stamp.view());
  if (const int error = publish_file(directory(), kIncompleteDump, name.view())) {
    // What did reach the disk is there, and one that fails to sync does not get better by writing.
    fail(name.view(), ": ", ::strerror(error), ", left as ", kIncompleteDump);
    return Attempt::kGivenUp;
  }
  report_.dump_file.put(name.view());
  report_.dump_bytes = size_of(in_directory(name.view()).c_str());
  say_here("saved ", name.view(), ", ", report_.dump_bytes / 1024, " KiB");
  return Attempt::kSaved;
}

// makedumpfile ends with 1 for nearly everything; the usual cause can be seen from outside.
// A second try, which does not compress, would need more space; and crash(8) opens what the first
// one has written, when its header is marked as incomplete.
Capture::Attempt Capture::give_up_dump(const ChildResult& result) {
  report_.target_stalled = result.stalled;
  const Path incomplete = in_directory(kIncompleteDump);
  const bool full = !result.stalled && (size_of(incomplete.c_str()) >= largest_ ||
                                        system_.is_full(incomplete.c_str()));
  if (!result.stalled) mark_incomplete(incomplete.c_str());
  report_.target_full = full;
  Text<160> why;
  result.describe(why);
  if (full)
    why.put("; the target is full, or takes no larger file: there were ",
            mib(report_.free_bytes / 1024), " MiB free");
  // The pages come behind a table of them, which is why a file that ends there need not be as
  // large.
  if (!full && largest_ != kNoLimit) {
    why.put("; it may be its pool, with room for ", mib(largest_ / 1024), " MiB");
  }
  fail("makedumpfile ", why.view());
  return full || result.stalled ? Attempt::kGivenUp : Attempt::kFailed;
}

bool Capture::delete_old_dumps() {
  const Path base(places_.mount_point, config_.dump_directory);
  Text<256> deleted;
  const int error =
      delete_old_runs(base.view(), report_.stamp.view(), config_.keep_dumps, deleted, system_);
  if (!deleted.view().empty()) say_here("deleted old dumps: ", deleted.view());
  if (error) return fail("cannot delete old dumps: ", ::strerror(error));
  return true;
}

bool Capture::unmount_target() {
  if (const int error = system_.unmount(Path(places_.mount_point).c_str())) {
    return fail("cannot unmount cleanly: ", ::strerror(error));
  }
  return true;
}

// The last resort without a place for files: whoever watches the serial console gets the reason.
bool Capture::show_dmesg() {
  const Path file(places_.temporary, "/dmesg");
  Command command;
  command.arguments.add("makedumpfile");
  for (std::string_view part : {std::string_view("--dump-dmesg"), places_.vmcore, file.view()}) {
    command.arguments.add(part);
  }
  command.grows.put(file.view());
  command.stall_timeout = config_.stall_timeout;
  const ChildResult result = system_.run(command);
  if (!result.ok()) {
    Text<160> why;
    result.describe(why);
    return fail("makedumpfile --dump-dmesg ", why.view());
  }
  const kd::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  say_here("end of the log of the crashed kernel:");
  auto offset = static_cast<off_t>(tail_offset(fd.get(), kConsoleTailLines));
  char block[512];
  for (ssize_t size; (size = ::pread(fd.get(), block, sizeof block, offset)) > 0; offset += size) {
    system_.print({block, static_cast<std::size_t>(size)});
  }
  return true;
}

// `with_room`: as long as a report can get, in JSON blanks, so that the last one can be written
// where a dump took all the space.
void Capture::write_report(bool with_room) {
  Text<kMaxReportBytes> text;
  put_report(report_, text);
  const std::string_view report(text.c_str(), text.view().size());
  if (directory().empty()) {
    say_here("no place for ", kReportName, ", here it is:");
  } else if (report_.target_stalled) {
    say_here("the target does not answer, here is ", kReportName, ":");
  } else {
    int error = 0;
    if (!with_room) error = write_file_atomically(directory(), kReportName, report);
    if (with_room || error == ENOSPC || error == EDQUOT) {
      while (!text.cut()) text.put(' ');
      error = with_room ? write_file_atomically(directory(), kReportName, text.view())
                        : overwrite_file(directory(), kReportName, text.view());
    }
    if (error == 0) return;
    say_here("cannot write ", kReportName, ": ", ::strerror(error), ", here it is:");
  }
  system_.print(report);
}

}  // namespace

void run_capture(const InitConfig& config, System& system, const Places& places, Report& report) {
  Capture(config, system, places, report).run();
}

FinalAction action_after(const InitConfig& config, Result result) {
  return is_saved(result) ? config.final_action : config.failure_action;
}

}  // namespace kdinit
