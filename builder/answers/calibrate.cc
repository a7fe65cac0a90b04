// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/chrono.h>
#include <unistd.h>

#include <ctime>

#include "builder/answers/answers.h"
#include "builder/base/atomic_file.h"
#include "builder/base/json.h"
#include "builder/boot_test/floor.h"
#include "builder/fit/calibration.h"
#include "builder/own_file.h"

namespace kd {
namespace {

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

Result<Floor> floor_of(const std::string& command_line, const Roots& roots, const Facts& facts,
                       Progress& progress) {
  FloorInput input{.command_line = command_line,
                   .guess = kernel_memory({.version = facts.kernel.version,
                                           .command_line = command_line,
                                           .image = facts.kernel.image})
                                .unpacking,
                   .kvm = ::access("/dev/kvm", R_OK | W_OK) == 0};
  KD_TRY(input.kernel, roots.kernel.read(facts.kernel.vmlinuz));
  KD_TRY(const std::string crash_init, own_file("kdump-init-crash"));
  KD_TRY(input.crash_init, roots.host.read(crash_init));
  KD_TRY(const std::string floor_init, own_file("kdump-init-floor"));
  KD_TRY(input.floor_init, roots.host.read(floor_init));
  SystemRunner runner;
  return find_floor(input, runner, [&progress](const std::string& line) { progress.step(line); });
}

std::string text_of(const Calibration& calibration, const Floor& floor, const std::string& path) {
  return fmt::format(
      "calibrated {}, {} command line, by {} boots and {} panics in QEMU{}\n"
      "  {:5.1f} MiB while it unpacks, besides the initrd and its files\n"
      "  {:5.1f} MiB before it starts init, besides the files\n"
      "  {:5.1f} MiB when init runs, besides the files\n"
      "  {:5.1f} MiB more as margin, and the memory map of the reservation\nkept in {}\n",
      calibration.kernel.release, calibration.kernel.profile, floor.boots, floor.crashes,
      floor.kvm ? "" : ", emulated", mib(calibration.unpacking), mib(calibration.starting),
      mib(calibration.capturing), mib(calibration.margin), path);
}

}  // namespace

Result<Outcome> calibrate(const std::string& image, const Roots& roots, const Facts& facts,
                          const Presentation& show, Progress& progress) {
  if (facts.kernel.vmlinuz.empty()) {
    return fail(ErrorKind::kKernelNotFound, "--calibrate needs vmlinuz-{}", facts.kernel.version);
  }
  const std::string command_line = command_line_of(facts);
  Calibration calibration{.date = fmt::format("{:%F}", fmt::gmtime(std::time(nullptr))),
                          .margin = calibration_margin(command_line)};
  KD_TRY(calibration.kernel, calibrated_kernel(roots, facts, command_line));
  KD_TRY(const Floor floor, floor_of(command_line, roots, facts, progress));
  calibration.accelerator = floor.kvm ? "kvm" : "tcg";
  calibration.unpacking = floor.unpacking;
  calibration.starting = floor.starting;
  calibration.capturing = floor.capturing;

  const std::string path = calibration_path(absolute(image), facts.kernel.version);
  const std::string json = calibration_to_json(calibration);
  // As strictly as it will be read.
  KD_CHECK(calibration_from_json(json));
  KD_TRY(AtomicFile file, AtomicFile::create(path));
  KD_CHECK(write_file(file, json));
  if (show.json) {
    Json answer = {{"result", "calibrated"}, {"path", path}};
    answer.update(Json::parse(json));
    return Outcome{0, json_text(answer)};
  }
  return Outcome{0, show.quiet ? "" : text_of(calibration, floor, path)};
}

}  // namespace kd
