// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/savecore.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "builder/base/fd.h"
#include "builder/base/path.h"
#include "builder/init/capture.h"
#include "builder/init/child.h"
#include "builder/init/dump_directory.h"
#include "builder/init/guard.h"
#include "builder/init/linux_system.h"
#include "builder/policy/network_target.h"
#include "builder/policy/timeouts.h"
#include "hooks/dump_check.h"
#include "hooks/image.h"

namespace kd {
namespace {

struct Compressor {
  std::string_view name;
  std::string_view extension;
};
constexpr Compressor kCompressors[] = {
    {"bzip2", ".bz2"}, {"gzip", ".gz"}, {"lz4", ".lz4"}, {"xz", ".xz"}};

// As makedumpfile of the image's init is run, but with stdout of the last of `commands` in `file`.
kdinit::ChildResult run_watched(const std::vector<std::vector<std::string>>& commands,
                                const std::string& file, std::uint32_t stall_timeout,
                                kdinit::Ticker& ticker) {
  Result<std::vector<int>> pids = start_pipeline(commands, file);
  if (pids) {
    return kdinit::supervise(pids->data(), pids->size(), file.c_str(), stall_timeout, ticker);
  }
  kdinit::ChildResult result;
  result.spawn_error = static_cast<int>(pids.error().system_error);
  return result;
}

// The machine after a full boot: modules are loaded, the target is mounted.
class BootedSystem final : public kdinit::System {
 public:
  // `compressor` is the path of a program that reads stdin and writes stdout; empty: none.
  BootedSystem(const ProgramRunner& runner, std::string compressor)
      : runner_(runner), compressor_(std::move(compressor)) {}
  ~BootedSystem() { machine_.stop_guard(); }
  BootedSystem(const BootedSystem&) = delete;
  BootedSystem& operator=(const BootedSystem&) = delete;
  // Not even SIGKILL ends what waits for a disk that does not answer, and neither do we then.
  int start_guard(std::uint32_t timeout_seconds) { return machine_.start_guard(timeout_seconds); }

  void tick() override { machine_.tick(); }
  std::uint64_t now_ms() override { return machine_.now_ms(); }
  std::time_t wall_clock() override { return machine_.wall_clock(); }
  kdinit::Memory memory() override { return machine_.memory(); }
  kdinit::Memory take_lowest_memory() override { return machine_.take_lowest_memory(); }
  void print(std::string_view text) override { machine_.print(text); }
  int write_sysctl(const char*, std::string_view) override { return 0; }
  int load_module(const char*, const char*) override { return 0; }
  bool wait_for_target(const kdinit::TargetQuery&, kdinit::Candidates& found) override {
    found.items[0].device.put("the mounted root");
    found.count = 1;
    return true;
  }
  int unpack(const char*) override { return 0; }
  int mount(const char*, const char*, const char*, const char*, kdinit::MountUse) override {
    return 0;
  }
  int unmount(const char*) override {
    ::sync();
    return 0;
  }
  kdinit::ChildResult run(const kdinit::Command& command) override {
    std::vector<std::string> argv;
    for (char* const* word = command.arguments.argv(); *word != nullptr; ++word) {
      argv.emplace_back(*word);
    }
    kdinit::ChildResult result;
    const std::optional<std::string> program = runner_.find(argv.at(0));
    if (!program || command.arguments.overflow()) {
      result.spawn_error = program ? E2BIG : ENOENT;
      return result;
    }
    argv[0] = *program;
    const bool is_dump = argv.size() > 1 && argv[1] != "--dump-dmesg";
    if (!compressor_.empty() && is_dump) {
      return run_compressed(std::move(argv), command.stall_timeout);
    }
    kdinit::Command by_path;
    for (const std::string& word : argv) by_path.arguments.add(word);
    by_path.grows.put(command.grows.view());
    by_path.stall_timeout = command.stall_timeout;
    return machine_.run(by_path);
  }
  int free_bytes(const char* directory, std::uint64_t& bytes) override {
    return machine_.free_bytes(directory, bytes);
  }
  bool is_full(const char* file) override { return machine_.is_full(file); }

 private:
  // makedumpfile ... VMCORE FILE becomes makedumpfile -F ... VMCORE | COMPRESSOR -c > FILE.
  kdinit::ChildResult run_compressed(std::vector<std::string> argv, std::uint32_t stall_timeout) {
    const std::string file = std::move(argv.back());
    argv.pop_back();
    argv.insert(argv.begin() + 1, "-F");
    return run_watched({argv, {compressor_, "-c"}}, file, stall_timeout, *this);
  }

  const ProgramRunner& runner_;
  kdinit::LinuxSystem machine_;
  std::string compressor_;
};

void start_guard(const Context& context, std::uint32_t timeout_seconds, BootedSystem& system) {
  if (const int error = system.start_guard(timeout_seconds)) {
    context.say("no guard against a hang: " + std::generic_category().message(error));
  }
}

const Compressor* usable_compressor(const Context& context, const KdumpConfig& config) {
  if (config.compression.empty()) return nullptr;
  const auto* const found = std::ranges::find(kCompressors, config.compression, &Compressor::name);
  if (found != std::end(kCompressors) && context.runner.find(found->name)) return found;
  context.say(fmt::format("KDUMP_COMPRESSION={}: {} is not installed, the dump is not compressed",
                          config.compression, config.compression));
  return nullptr;
}

using ArgumentList = kdinit::List<std::string_view, kdinit::kMaxArguments>;

// False, and nothing added, where they are too many: a part of the words is another order.
bool add_words(const std::vector<std::string>& words, ArgumentList& list) {
  if (words.size() > list.items.size()) return false;
  for (const std::string& word : words) list.push(word);
  return true;
}

// What is left of a dump that failed gets the ending that says what it is packed with. Returns its
// name.
std::string name_incomplete(const std::string& run_directory, const Compressor* compressor) {
  const std::string name(kdinit::kIncompleteDump);
  if (compressor == nullptr) return name;
  const std::string packed = fmt::format("{}{}", name, compressor->extension);
  std::error_code error;
  std::filesystem::rename(run_directory + "/" + name, run_directory + "/" + packed, error);
  return error ? name : packed;
}

// Unfiltered, as large as the memory of the machine: only when it leaves some space. `report` tells
// of it then.
Result<void> copy_vmcore(const ProgramRunner& runner, const SavePlaces& places,
                         const std::string& directory, kdinit::Ticker& ticker,
                         kdinit::Report& report) {
  const std::string& vmcore = places.vmcore;
  struct statvfs space {};
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(vmcore, error);
  if (error || ::statvfs(directory.c_str(), &space) != 0) return fail_errno(errno, vmcore);
  if (std::uintmax_t{space.f_bfree} * space.f_frsize <= size) {
    return fail(ErrorKind::kFailed, "no space in {} for the {} bytes of {}", directory, size,
                vmcore);
  }
  const std::string incomplete = directory + "/vmcore-incomplete";
  // A program, because a write of our own to a disk that does not answer could not be ended.
  const std::string cat = runner.find("cat").value_or("/bin/cat");
  if (const auto result = run_watched({{cat, vmcore}}, incomplete, places.stall_timeout, ticker);
      !result.ok()) {
    report.target_stalled = result.stalled;
    kdinit::Text<160> why;
    result.describe(why);
    // What makedumpfile has written can be opened, and is less than the whole memory.
    const bool have_better = report.incomplete_bytes > 0;
    if (have_better && !result.stalled) ::unlink(incomplete.c_str());
    return fail(ErrorKind::kFailed, "{}: cat {}{}", incomplete, why.view(),
                have_better ? "" : ", left as it is");
  }
  const std::string name = fmt::format("vmcore.{}", report.stamp.view());
  if (const int failed = kdinit::publish_file(directory, "vmcore-incomplete", name)) {
    return fail_errno(failed, incomplete);
  }
  report.result = kdinit::Result::kSavedRaw;
  report.dump_file.put(name);
  report.dump_bytes = size;
  return {};
}

// The whole of /proc/vmcore in the place of a dump that could not be made, and what follows a dump:
// retention and the report.
Result<void> save_raw(const Context& context, const KdumpConfig& config, const SavePlaces& places,
                      const std::string& base, BootedSystem& system, kdinit::Report& report) {
  const std::string directory = fmt::format("{}/{}", base, report.stamp.view());
  context.say(fmt::format("makedumpfile failed, copying {} as it is", places.vmcore));
  const Result<void> copied = copy_vmcore(context.runner, places, directory, system, report);
  if (!copied) {
    report.add_failure("raw copy", copied.error().message);
  } else if (config.num_dumps > 0 && !report.rehearsal &&
             (report.dmesg_saved || !config.dump_dmesg)) {
    kdinit::Text<256> deleted;
    const int error = kdinit::delete_old_runs(
        base, report.stamp.view(), static_cast<std::uint32_t>(config.num_dumps), deleted, system);
    if (!deleted.view().empty()) context.say(fmt::format("deleted old dumps: {}", deleted.view()));
    if (error) report.add_failure("retention", std::generic_category().message(error));
  }
  if (report.target_stalled) return copied;
  kdinit::Text<kdinit::kMaxReportBytes> text;
  kdinit::put_report(report, text);
  if (const int error =
          kdinit::write_file_atomically(directory, kdinit::kReportName, text.view())) {
    context.say(fmt::format("{}: {}", kdinit::kReportName, std::generic_category().message(error)));
  }
  return copied;
}

// Success means that the crash was saved, one way or the other.
Result<void> dump_or_raw(const Context& context, const KdumpConfig& config,
                         const SavePlaces& places, const std::string& base, BootedSystem& system,
                         kdinit::Report& report) {
  if (kdinit::is_saved(report.result)) return {};
  const std::string why =
      fmt::format("{}: {}", report.failed_step(), report.failures[0].error.view());
  // Nothing more is written to a disk that stalls, and nothing larger to one that is full.
  if (!report.stamp.view().empty() && !report.target_stalled && !report.target_full) {
    const Result<void> copied = save_raw(context, config, places, base, system, report);
    if (copied) return {};
    context.say(copied.error().message);
  }
  return fail(ErrorKind::kFailed, "failed to save vmcore in {}: {}", base, why);
}

// Against a sync to a dead disk, and a reboot that waits for a driver (end_machine()).
void start_guard(const SavePlaces& places, kdinit::Guard& guard) {
  if (places.restart_when_stuck) guard.start(places.stall_timeout, places.guard);
}

bool restarts(const std::vector<std::string>& command) {
  return base_name(command.front()) == "reboot";
}

// MAKEDUMP_ARGS with a mistake in it is no reason to save nothing.
Result<DumpArguments> usable_arguments(const Context& context, const KdumpConfig& config,
                                       const std::string& vmcore) {
  Result<DumpArguments> arguments = arguments_for_vmcore(context.reader, config, vmcore);
  if (arguments) return arguments;
  const KdumpConfig defaults;
  context.say(fmt::format("{}; taking {}", arguments.error().message, defaults.makedump_args));
  return arguments_for_vmcore(context.reader, defaults, vmcore);
}

}  // namespace

Result<void> savecore(const Context& context, const KdumpConfig& config, const SavePlaces& places) {
  if (const Result<void> network = refuse_network(config); !network) {
    // It cannot be loaded like that any more, but a dump in the wrong place is better than none.
    context.say(network.error().message);
  }
  KD_TRY(const DumpArguments arguments, usable_arguments(context, config, places.vmcore));
  if (!arguments.note.empty()) context.say(arguments.note);
  const Compressor* compressor = usable_compressor(context, config);

  kdinit::InitConfig init;
  init.kernel = "the running one";
  init.time_zone = ":/etc/localtime";  // tzset(3): the file itself, the whole root is there
  init.target.type = "directory";
  init.target.uuid = config.core_dir;
  const std::string directory = places.root + config.core_dir;
  init.dump_directory = directory;
  if (add_words(arguments.first, init.dump_arguments)) {
    add_words(arguments.retry, init.retry_arguments);
  } else {
    context.say(fmt::format(
        "MAKEDUMP_ARGS has {} words, at most {} are possible; the dump is made "
        "with {}",
        arguments.first.size(), kdinit::kMaxArguments, fmt::join(arguments.retry, " ")));
    add_words(arguments.retry, init.dump_arguments);
  }
  init.dump_note = arguments.note;
  init.skip_dmesg = !config.dump_dmesg;
  init.stall_timeout = places.stall_timeout;
  init.keep_dumps = static_cast<std::uint32_t>(config.num_dumps);

  // What run_child() of init needs.
  sigset_t child_ended, before;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_ended, &before);
  BootedSystem system(context.runner,
                      compressor == nullptr ? "" : *context.runner.find(compressor->name));
  if (places.restart_when_stuck) start_guard(context, places.stall_timeout, system);
  kdinit::Report report;
  report.kernel = init.kernel;
  kdinit::run_capture(init, system, {.mount_point = "", .vmcore = places.vmcore}, report);
  const std::string run_directory = fmt::format("{}/{}", directory, report.stamp.view());
  const Result<void> saved = dump_or_raw(context, config, places, directory, system, report);
  if (report.incomplete_bytes > 0) {
    // Nothing more is written to a disk that stalls.
    const Compressor* packed_with = report.target_stalled ? nullptr : compressor;
    context.say(fmt::format("{}/{} has what was written until then", run_directory,
                            name_incomplete(run_directory, packed_with)));
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  KD_CHECK(saved);

  const std::string_view dump = report.dump_file.view();
  if (compressor != nullptr && report.result != kdinit::Result::kSavedRaw &&
      kdinit::publish_file(run_directory, dump, fmt::format("{}{}", dump, compressor->extension)) !=
          0) {
    return fail(ErrorKind::kFailed, "{}/{} cannot be renamed", run_directory, dump);
  }
  context.say(fmt::format("saved vmcore in {}", run_directory));
  return {};
}

std::uint32_t stall_timeout_for(const KdumpConfig& config, const std::string& vmcore) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(vmcore, error);
  return stall_timeout(config, error ? 0 : size);
}

int reboot_now() {
  ::reboot(RB_AUTOBOOT);
  return errno;
}

bool finish_capture(const Context& context, const KdumpConfig& config, bool saved,
                    const SavePlaces& places, const std::function<int()>& reboot) {
  kdinit::Guard guard;
  start_guard(places, guard);
  ::sync();
  if (!saved) {
    std::vector<std::string> words =
        split_words(config.fail_command).value_or(std::vector<std::string>{});
    if (words.empty()) words = {"reboot", "-f"};
    if (!words[0].starts_with('/')) words[0] = context.runner.find(words[0]).value_or(words[0]);
    context.say("KDUMP_FAIL_CMD: " + describe_command(words));
    // Any other command may take its time, and decide that the machine stays as it is.
    if (!restarts(words)) guard.stop();
    const Result<ProgramOutcome> outcome = context.runner.run_attached(words);
    // The command decides, but one that failed decided nothing: the machine must not stay down.
    if (outcome && outcome->status == 0) return true;
    context.say(outcome ? fmt::format("KDUMP_FAIL_CMD ended with status {}", outcome->status)
                        : outcome.error().message);
  }
  context.say("rebooting");
  guard.stop();
  start_guard(places, guard);
  ::sync();
  context.say(std::string("reboot: ") + std::generic_category().message(reboot()));
  return false;
}

}  // namespace kd
