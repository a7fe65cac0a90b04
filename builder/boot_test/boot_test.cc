// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/boot_test.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "builder/boot_test/console.h"
#include "builder/boot_test/rig.h"
#include "builder/boot_test/virtual_machine.h"
#include "builder/fit/measurement.h"

namespace kd {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// Sparse; xfs makes no file system below 300 MiB.
constexpr std::uintmax_t kDiskSize = 1024 * kMiB;
constexpr TimeLimits kLimits;

Result<void> make_disk(const TestDisk& disk, const std::string& path, ProgramRunner& runner) {
  KD_CHECK(write_work_file(path, ""));
  std::error_code error;
  fs::resize_file(path, kDiskSize, error);
  if (error) return fail_errno(error.value(), path);
  std::vector<std::string> command = disk.make_command;
  KD_TRY(command.front(), find_program(runner, command.front()));
  command.push_back(path);
  KD_TRY(const ProgramOutcome made, runner.run(command));
  if (made.status == 0) return {};
  return fail(ErrorKind::kFailed, "{} ended with {}: {}", command.front(), made.status,
              made.output);
}

struct TestRun {
  MachineRun run;
  bool kvm = false;
};

Result<TestRun> run_test(const BootTestInput& input, ProgramRunner& runner) {
  KD_TRY(const TestDisk disk, test_disk(input.machine));
  // Before the image is packed and a disk is made for it.
  KD_CHECK(find_program(runner, "qemu-system-x86_64"));
  KD_TRY(const WorkDirectory work, WorkDirectory::create());
  TestMachine machine{.kvm = input.kvm,
                      .memory = memory_for(input.reservation),
                      .command_line = first_command_line(input.reservation),
                      .kernel = work.path("vmlinuz"),
                      .initrd = work.path("initrd"),
                      .disk = work.path("disk"),
                      .devices = disk.devices};
  KD_CHECK(make_disk(disk, machine.disk, runner));
  KD_CHECK(write_work_file(machine.kernel, input.kernel));
  KD_TRY(
      const std::string initrd,
      first_initrd({.crash_init = input.crash_init,
                    .kernel = input.kernel,
                    .image = input.image,
                    .command_line = input.command_line + " console=ttyS0 kdump_report=console"}));
  KD_CHECK(write_work_file(machine.initrd, initrd));
  KD_TRY(MachineRun run, run_machine(machine, kLimits, runner));
  return TestRun{std::move(run), machine.kvm};
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

BootTestResult judge(const BootTestInput& input, const TestRun& test) {
  BootTestResult result;
  const ConsoleReport console = parse_console(test.run.console);
  const Json report = Json::parse(console.report, nullptr, false);
  const Result<Measurement> measured = measurement_from_report(console.report, "a boot test");
  result.passed = measured.has_value();
  const bool measures = result.passed && input.left_out.empty();
  Json json = measures ? Json::parse(measurement_to_json(*measured)) : Json{{"version", 1}};
  const std::string problem = !console.problem.empty() ? console.problem
                              : result.passed          ? ""
                              : test.run.timed_out
                                  ? fmt::format("not done after {} s", kLimits.emulated)
                                  : measured.error().message;
  json.update({{"passed", result.passed},
               {"problem", problem},
               {"reservation_bytes", input.reservation},
               {"left_out", input.left_out},
               {"accelerator", test.kvm ? "kvm" : "tcg"},
               {"report", report.is_object() ? report : Json()}});
  result.json = json.dump(1) + "\n";

  result.text = fmt::format("boot test with crashkernel={}M{}: {}\n", input.reservation / kMiB,
                            test.kvm ? "" : ", emulated", result.passed ? "PASS" : "FAIL");
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
  KD_TRY(const TestRun test, run_test(input, runner));
  return judge(input, test);
}

}  // namespace kd
