// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/image_inputs.h"

#include <algorithm>
#include <thread>

#include "builder/base/digest.h"
#include "builder/facts/dump_program.h"
#include "builder/facts/sysctl_conf.h"
#include "builder/facts/system_text.h"
#include "builder/fit/measurement.h"
#include "builder/own_file.h"
#include "builder/policy/command_line.h"
#include "builder/policy/compression_choice.h"
#include "builder/policy/requirements.h"
#include "builder/programs/closure.h"
#include "modsel/firmware.h"
#include "modsel/kmod_index.h"
#include "modsel/select.h"

namespace kd {
namespace {

// libkmod names module files by host path; they are read through the kernel's root all the same,
// so that a link in a foreign tree cannot lead out of it.
std::string path_in_root(const std::string& host_path, const KernelFacts& kernel) {
  return kernel.modules_dir + host_path.substr(kernel.modules_dir_host.size());
}

// What an administrator set for that machine. The settings of this host say nothing about another.
struct Settings {
  modsel::ModprobeConf modprobe;
  std::vector<std::string> sysctls;
};

Result<Settings> settings_of(const Roots& roots, const Facts& facts,
                             std::vector<std::string>& notes) {
  if (facts.root_of_host) {
    notes.push_back(fmt::format(
        "a recorded machine without --sysroot: nothing of modprobe.d and {} is used; programs, "
        "libraries and firmware are those of this host",
        kSysctlConfPath));
    return Settings{};
  }
  KD_TRY(std::vector<std::string> sysctls, read_sysctl_conf(roots.machine));
  return Settings{modsel::read_modprobe_conf(roots.machine), std::move(sysctls)};
}

// The modules of `input`: those of the target, and more for a root that is somewhere else.
Result<void> select_modules(modsel::ModprobeConf modprobe, std::string_view command_line,
                            const KernelFacts& kernel, PlanInput& input,
                            std::vector<std::string>& notes) {
  modprobe.blacklist.merge(modprobe_blacklist(command_line));
  KD_TRY(const std::unique_ptr<modsel::ModuleIndex> index,
         modsel::open_kmod_index(kernel.modules_dir_host, std::move(modprobe)));
  modsel::ModuleRequest request = input.requirements.modules;
  request.refused = module_blacklist(command_line);
  KD_TRY(modsel::ModuleSet modules, modsel::select(request, *index));
  if (const auto& more = input.requirements.root_modules; !more.empty()) {
    request.wanted.insert(request.wanted.end(), more.begin(), more.end());
    KD_TRY(modsel::ModuleSet all, modsel::select(request, *index));
    for (const modsel::Module& module : all.load_order) input.root_only.insert(module.name);
    for (const modsel::Module& module : modules.load_order) input.root_only.erase(module.name);
    modules = std::move(all);
  }
  for (const modsel::Denied& denied : modules.denied) {
    notes.push_back(fmt::format("left out {}: {}", denied.name, denied.reason));
  }
  notes.insert(notes.end(), modules.warnings.begin(), modules.warnings.end());
  for (modsel::Module& module : modules.load_order) {
    module.path = path_in_root(module.path, kernel);
  }
  input.modules = std::move(modules);
  return {};
}

std::vector<modsel::FirmwareFile> select_firmware(const modsel::ModuleSet& modules,
                                                  const Roots& roots, const KernelFacts& kernel,
                                                  std::vector<std::string>& notes) {
  modsel::FirmwareSet firmware =
      modsel::find_firmware(modules.load_order, kernel.version, roots.machine);
  for (const modsel::MissingFirmware& missing : firmware.missing) {
    notes.push_back(
        fmt::format("firmware {} of {} is not installed", missing.name, missing.module));
  }
  return std::move(firmware.files);
}

std::optional<Measurement> measurement_at(const RootedReader& reader, const std::string& path) {
  const Result<std::string> text = reader.read(path);
  if (!text) return std::nullopt;
  const Result<Measurement> measurement = measurement_from_json(*text);
  return measurement ? std::optional(*measurement) : std::nullopt;
}

// Of a calibration of another kernel or command line, and without one, what is `known` stays.
KernelMemory with_calibration(KernelMemory known, const std::string& image, const Roots& roots,
                              const Facts& facts, std::string_view command_line) {
  const Result<std::string> text =
      roots.host.read(calibration_path(absolute(image), facts.kernel.version));
  if (!text) return known;
  const Result<Calibration> calibration = calibration_from_json(*text);
  if (!calibration) return known;
  const Result<CalibratedKernel> kernel = calibrated_kernel(roots, facts, command_line);
  return kernel ? calibrated(std::move(known), *calibration, *kernel) : known;
}

// A capture tells more than a boot test; of a recorded machine this one's captures tell nothing.
// Before init starts neither of them sees anything, but a calibration does.
KernelMemory memory_of_kernel(const std::string& image, const Roots& roots, const Facts& facts,
                              std::string_view command_line) {
  const std::string& version = facts.kernel.version;
  const std::string_view profile = memory_profile(facts.config);
  KernelMemory memory =
      with_calibration(derived_memory(facts, command_line), image, roots, facts, command_line);
  std::optional<Measurement> measurement =
      measurement_at(roots.host, absolute(boot_test_path(image)));
  if (!facts.recorded) {
    const std::string path = fmt::format("{}{}.json", kMeasuredPrefix, version);
    if (auto captured = measurement_at(roots.machine, path)) measurement = std::move(captured);
  }
  return measurement ? corrected(std::move(memory), *measurement, version, profile) : memory;
}

// The kernel that crashes reads the keys from its keyring and the one of the image takes them over:
// kernel/crash_dump_dm_crypt.c has both parts.
bool hands_keys_over(const Roots& roots, const std::string& crashed, const KernelFacts& kernel) {
  constexpr std::string_view kOption = "CONFIG_CRASH_DM_CRYPT";
  return kernel.has(kOption) &&
         (crashed == kernel.version || config_has(kernel_config(roots.kernel, crashed), kOption));
}

// The closure keeps them when this makedumpfile wants more of them than the stand-in has.
void note_libraries_that_stayed(const PlanInput& input, std::vector<std::string>& notes) {
  for (const std::string& library : input.requirements.uncalled_libraries) {
    const auto file =
        std::ranges::find(input.programs, "/lib/" + library, &ProgramFile::image_path);
    if (file == input.programs.end() || file->stand_in) continue;
    notes.push_back(library +
                    " is in the image, though a capture does not call it: this "
                    "makedumpfile wants more of such libraries than their stand-in has");
  }
}

}  // namespace

std::string command_line_of(const Facts& facts) {
  return capture_command_line(
             command_line_inputs(facts.machine, facts.config, facts.kernel.version))
      .text;
}

KernelMemory derived_memory(const Facts& facts, std::string_view command_line) {
  return kernel_memory({.version = facts.kernel.version,
                        .command_line = command_line,
                        .image = facts.kernel.image,
                        .pci_devices = facts.machine.pci_devices,
                        .acpi_devices = facts.machine.acpi_devices});
}

Result<CalibratedKernel> calibrated_kernel(const Roots& roots, const Facts& facts,
                                           std::string_view command_line) {
  KD_TRY(FileDigest vmlinuz, digest_of_file(roots.kernel, facts.kernel.vmlinuz));
  return CalibratedKernel{.release = facts.kernel.version,
                          .profile = std::string(memory_profile(facts.config)),
                          .kernel_digest = std::move(vmlinuz.digest),
                          .command_line_digest = digest(command_line)};
}

std::uint64_t loaded_module_bytes(const Roots& roots, const Facts& facts) {
  if (facts.recorded) return 0;
  return parse_module_bytes(roots.machine.read("/proc/modules").value_or(""));
}

Result<ImageInputs> choose_inputs(const ImageRequest& request, const std::string& image,
                                  const Roots& roots, const Facts& facts) {
  ImageInputs inputs;
  KD_TRY(CompressionChoice compression,
         choose_compression(request.compression, facts.additions, facts.kernel));
  if (!compression.warning.empty()) inputs.notes.push_back(compression.warning);
  compression.compression.threads = std::max(1U, std::thread::hardware_concurrency());
  inputs.settings = {.compression = compression.compression, .mtime = request.mtime};

  inputs.command_line = command_line_of(facts);
  inputs.kernel_memory = memory_of_kernel(image, roots, facts, inputs.command_line);
  inputs.bounce_buffers = bounce_buffers({.command_line = inputs.command_line,
                                          .limits = facts.machine.dma_limits,
                                          .ram = facts.machine.ram});

  PlanInput& plan = inputs.plan;
  plan.kernel = facts.kernel.version;
  plan.crashed_kernel = request.crashed_kernel;
  KD_TRY(Settings settings, settings_of(roots, facts, inputs.notes));
  KD_TRY(plan.requirements,
         decide(facts.machine, facts.config, facts.additions, std::move(settings.sysctls),
                {makedumpfile_version(roots.machine), request.crashed_kernel},
                hands_keys_over(roots, request.crashed_kernel, facts.kernel)));
  inputs.notes.insert(inputs.notes.end(), plan.requirements.notes.begin(),
                      plan.requirements.notes.end());
  KD_CHECK(select_modules(std::move(settings.modprobe), inputs.command_line, facts.kernel, plan,
                          inputs.notes));
  plan.firmware = select_firmware(plan.modules, roots, facts.kernel, inputs.notes);
  if (plan.requirements.capture == kdinit::CaptureMode::kRootfs) {
    inputs.real_root = RealRoot{.modules = loaded_module_bytes(roots, facts)};
  }
  // The real root has its own makedumpfile.
  if (plan.requirements.capture == kdinit::CaptureMode::kDirect) {
    StandIn stand_in{
        .source = {}, .content = {}, .libraries = plan.requirements.uncalled_libraries};
    KD_TRY(stand_in.source, own_file("stand-in.so"));
    KD_TRY(stand_in.content, roots.host.read(stand_in.source));
    KD_TRY(plan.programs,
           program_closure(roots.machine, "makedumpfile", "filters and writes the dump", stand_in));
    note_libraries_that_stayed(plan, inputs.notes);
  }
  return inputs;
}

}  // namespace kd
