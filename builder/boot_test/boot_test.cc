// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/boot_test.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "builder/base/atomic_file.h"
#include "builder/boot_test/console.h"
#include "builder/boot_test/virtual_machine.h"
#include "builder/fit/measurement.h"
#include "cpio/archive.h"

namespace kd {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// Sparse; xfs makes no file system below 300 MiB.
constexpr std::uintmax_t kDiskSize = 1024 * kMiB;
// Seconds; a capture takes 20 without KVM and a few with it.
constexpr std::string_view kTimeLimit = "300";
constexpr std::string_view kKvmTimeLimit = "30";

class WorkDirectory {
 public:
  static Result<WorkDirectory> create() {
    const char* parent = std::getenv("TMPDIR");
    std::string path = fmt::format("{}/kdump-boot-test.XXXXXX", parent ? parent : "/var/tmp");
    if (::mkdtemp(path.data()) == nullptr) return fail_errno(errno, path);
    return WorkDirectory(std::move(path));
  }
  ~WorkDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  WorkDirectory(WorkDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkDirectory& operator=(WorkDirectory&&) = delete;
  [[nodiscard]] std::string path(std::string_view name) const {
    return fmt::format("{}/{}", path_, name);
  }

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

struct Package {
  std::string_view program, name;
};
constexpr std::array<Package, 6> kPackages = {{
    {"qemu-system-x86_64", "qemu-system-x86"},
    {"mkfs.xfs", "xfsprogs"},
    {"mkfs.btrfs", "btrfs-progs"},
    {"mkfs.vfat", "dosfstools"},
    {"timeout", "coreutils"},
    {"mkfs.", "e2fsprogs"},
}};

Result<std::string> find(const ProgramRunner& runner, const std::string& program) {
  if (std::optional<std::string> path = runner.find(program)) return *std::move(path);
  for (const Package& package : kPackages) {
    if (!program.starts_with(package.program)) continue;
    return fail(ErrorKind::kProgramMissing, "a boot test needs {}; apt install {}", program,
                package.name);
  }
  return fail(ErrorKind::kProgramMissing, "a boot test needs {}", program);
}

Result<void> write(const std::string& path, std::string_view data) {
  KD_TRY(AtomicFile file, AtomicFile::create(path));
  KD_CHECK(file.write(data));
  return file.publish();
}

// The initrd of the kernel that panics.
Result<std::string> first_initrd(const BootTestInput& input) {
  const std::vector<cpio::Entry> entries = {
      {.path = "init", .mode = S_IFREG | 0755, .data = input.crash_init},
      {.path = "proc", .mode = S_IFDIR | 0755, .data = {}},
      {.path = "vmlinuz", .mode = S_IFREG | 0600, .data = input.kernel},
      {.path = "kdump.img", .mode = S_IFREG | 0600, .data = input.image},
      {.path = "command_line",
       .mode = S_IFREG | 0600,
       .data = input.command_line + " console=ttyS0 kdump_report=console"}};
  return cpio::write_archive(entries, 0);
}

Result<void> make_disk(const TestDisk& disk, const std::string& path, ProgramRunner& runner) {
  KD_CHECK(write(path, ""));
  std::error_code error;
  fs::resize_file(path, kDiskSize, error);
  if (error) return fail_errno(error.value(), path);
  std::vector<std::string> command = disk.make_command;
  KD_TRY(command.front(), find(runner, command.front()));
  command.push_back(path);
  KD_TRY(const ProgramOutcome made, runner.run(command));
  if (made.status == 0) return {};
  return fail(ErrorKind::kFailed, "{} ended with {}: {}", command.front(), made.status,
              made.output);
}

struct MachineRun {
  std::string console;
  bool kvm = false;
  bool timed_out = false;
};

Result<MachineRun> run_machine(const BootTestInput& input, ProgramRunner& runner) {
  KD_TRY(const TestDisk disk, test_disk(input.machine));
  TestMachine machine{.kvm = input.kvm, .reservation = input.reservation, .devices = disk.devices};
  KD_TRY(machine.qemu, find(runner, "qemu-system-x86_64"));
  KD_TRY(const std::string timeout, find(runner, "timeout"));
  KD_TRY(const WorkDirectory work, WorkDirectory::create());
  machine.disk = work.path("disk");
  machine.kernel = work.path("vmlinuz");
  machine.initrd = work.path("initrd");
  KD_CHECK(make_disk(disk, machine.disk, runner));
  KD_CHECK(write(machine.kernel, input.kernel));
  KD_TRY(const std::string initrd, first_initrd(input));
  KD_CHECK(write(machine.initrd, initrd));
  for (;;) {
    std::vector<std::string> command = qemu_command(machine);
    const std::string_view limit = machine.kvm ? kKvmTimeLimit : kTimeLimit;
    command.insert(command.begin(), {timeout, "-s", "KILL", std::string(limit)});
    KD_TRY(ProgramOutcome ended, runner.run(command));
    // 0 after a restart of the machine, 137 when the time was over.
    if (ended.status == 0 || (ended.status == 137 && !machine.kvm)) {
      return MachineRun{std::move(ended.output), machine.kvm, ended.status == 137};
    }
    // A KVM inside another virtual machine may offer less than QEMU asks of it, or never get on.
    if (!std::exchange(machine.kvm, false)) {
      return fail(ErrorKind::kFailed, "{} ended with {}: {}", machine.qemu, ended.status,
                  ended.output.substr(0, 400));
    }
  }
}

// Seconds, free and available MiB of every step; empty for steps that init would not write so.
std::string step_table(const Json& report) try {
  std::string text = "  step         seconds  MiB free  available\n";
  for (const Json& step : report.value("steps", Json::array())) {
    text += fmt::format("  {:<12} {:>7.1f} {:>9} {:>10}\n", step.value("name", ""),
                        step.value("end_ms", 0.0) / 1000, step.value("lowest_free_kib", 0) / 1024,
                        step.value("lowest_available_kib", 0) / 1024);
  }
  return text;
} catch (const Json::exception&) {
  return "";
}

BootTestResult judge(const BootTestInput& input, const MachineRun& run) {
  BootTestResult result;
  const ConsoleReport console = parse_console(run.console);
  const Json report = Json::parse(console.report, nullptr, false);
  const Result<Measurement> measured = measurement_from_report(console.report, "a boot test");
  result.passed = measured.has_value();
  const bool measures = result.passed && input.left_out.empty();
  Json json = measures ? Json::parse(measurement_to_json(*measured)) : Json{{"version", 1}};
  const std::string problem = !console.problem.empty() ? console.problem
                              : result.passed          ? ""
                              : run.timed_out ? fmt::format("not done after {} s", kTimeLimit)
                                              : measured.error().message;
  json.update({{"passed", result.passed},
               {"problem", problem},
               {"reservation_bytes", input.reservation},
               {"left_out", input.left_out},
               {"accelerator", run.kvm ? "kvm" : "tcg"},
               {"report", report.is_object() ? report : Json()}});
  result.json = json.dump(1) + "\n";

  result.text = fmt::format("boot test with crashkernel={}M{}: {}\n", input.reservation / kMiB,
                            run.kvm ? "" : ", emulated", result.passed ? "PASS" : "FAIL");
  if (!result.passed) result.text += fmt::format("  {}\n", problem);
  if (!input.left_out.empty()) {
    result.text += fmt::format(
        "  left out: {}; the target is one disk, and what the model says that they take is not in "
        "this reservation\n",
        fmt::join(input.left_out, ", "));
  }
  if (report.is_object()) result.text += step_table(report);
  if (result.passed) {
    result.text += fmt::format("  peak {:.1f} MiB\n", static_cast<double>(measured->peak_bytes) /
                                                          static_cast<double>(kMiB));
  } else {
    for (const std::string& line : console.lines) result.text += fmt::format("  {}\n", line);
  }
  return result;
}

}  // namespace

Result<BootTestResult> run_boot_test(const BootTestInput& input, ProgramRunner& runner) {
  KD_TRY(const MachineRun run, run_machine(input, runner));
  return judge(input, run);
}

}  // namespace kd
