// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/plan/image_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "builder/base/path.h"
#include "builder/plan/init_config_text.h"

namespace kd {
namespace {

constexpr std::uint32_t kProgramMode = S_IFREG | 0755;
constexpr std::uint32_t kDataMode = S_IFREG | 0600;

// Mount points and directories init writes to; missing parents are the archive's business.
constexpr std::array<std::string_view, 6> kDirectories = {"dev", "proc", "sys",
                                                          "tmp", "mnt",  "run"};

void add_init(const PlanInput& input, std::string config, std::vector<PlanEntry>& entries) {
  entries.push_back({.path = "init",
                     .mode = kProgramMode,
                     .source = Source::kBuilder,
                     .source_path = input.init_path,
                     .reason = "saves the dump and reboots"});
  entries.push_back({.path = std::string(kdinit::kConfigPath.substr(1)),
                     .mode = kDataMode,
                     .source = Source::kText,
                     .text = std::move(config),
                     .reason = "tells init what to do",
                     .because = "init"});
  for (const std::string_view directory : kDirectories) {
    entries.push_back({.path = std::string(directory),
                       .mode = S_IFDIR | 0755,
                       .source = Source::kDirectory,
                       .reason = "mount point",
                       .because = "init"});
  }
}

std::string module_path_by_name(std::string_view name, const Variant& variant) {
  return name.empty() ? "" : module_image_path({.name = std::string(name)}, variant);
}

void add_modules(const PlanInput& input, std::vector<PlanEntry>& entries) {
  for (const modsel::Module& module : input.modules.load_order) {
    entries.push_back({.path = module_image_path(module, input.variant),
                       .mode = kDataMode,
                       .source = Source::kKernel,
                       .source_path = module.path,
                       .packed = input.variant.packed,
                       .group = Group::kModule,
                       .reason = module.reason,
                       .because = module_path_by_name(module.because, input.variant)});
  }
}

void add_firmware(const PlanInput& input, std::vector<PlanEntry>& entries) {
  for (const modsel::FirmwareFile& file : input.firmware) {
    entries.push_back({.path = "lib/firmware/" + file.name,
                       .mode = kDataMode,
                       .source = Source::kFile,
                       .source_path = file.path,
                       .group = Group::kFirmware,
                       .reason = "firmware of " + file.module,
                       .because = module_path_by_name(file.module, input.variant)});
  }
}

void add_programs(const PlanInput& input, std::vector<PlanEntry>& entries) {
  const auto image_path = [&input](const ProgramFile& file) {
    return program_image_path(file, input.variant).substr(1);
  };
  for (const ProgramFile& file : input.programs) {
    const auto parent = std::ranges::find(input.programs, file.because, &ProgramFile::source);
    entries.push_back({.path = image_path(file),
                       .mode = kProgramMode,
                       .source = file.stand_in ? Source::kBuilder : Source::kFile,
                       .source_path = file.source,
                       .packed = input.variant.packed,
                       .group = file.because.empty() ? Group::kProgram : Group::kLibrary,
                       .reason = file.reason,
                       .because = parent == input.programs.end() ? "" : image_path(*parent)});
  }
}

}  // namespace

Result<ImagePlan> make_plan(const PlanInput& input) {
  KD_TRY(std::string config, init_config_text(input));
  ImagePlan plan{.kernel = input.kernel,
                 .crashed_kernel = input.crashed_kernel,
                 .variant = input.variant,
                 .target = input.requirements.target,
                 .entries = {}};
  add_init(input, std::move(config), plan.entries);
  add_modules(input, plan.entries);
  add_firmware(input, plan.entries);
  add_programs(input, plan.entries);
  std::ranges::stable_sort(plan.entries, {}, &PlanEntry::path);
  // Two programs may bring the same library.
  const auto same_path = [](const PlanEntry& a, const PlanEntry& b) { return a.path == b.path; };
  plan.entries.erase(std::unique(plan.entries.begin(), plan.entries.end(), same_path),
                     plan.entries.end());
  return plan;
}

Result<std::vector<std::string>> why(const ImagePlan& plan, std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  const auto find = [&plan](std::string_view wanted) {
    return std::ranges::find(plan.entries, wanted, &PlanEntry::path);
  };
  auto entry = find(path);
  if (entry == plan.entries.end()) {
    std::string module(base_name(path));
    std::ranges::replace(module, '-', '_');
    entry = find(module_path_by_name(module, plan.variant));
  }
  if (entry == plan.entries.end()) {
    std::vector<std::string_view> similar;
    for (const PlanEntry& candidate : plan.entries) {
      if (candidate.path.find(path) != std::string::npos) similar.push_back(candidate.path);
    }
    return fail(ErrorKind::kFailed, "{} is not in the image{}{}", path,
                similar.empty() ? "; --list shows what is" : "; it has ", fmt::join(similar, ", "));
  }
  std::vector<std::string> chain;
  // A chain longer than the plan would be a loop.
  while (chain.size() <= plan.entries.size()) {
    chain.push_back(fmt::format("{}: {}", entry->path, entry->reason));
    if (entry->because.empty()) break;
    entry = find(entry->because);
    if (entry == plan.entries.end()) break;
  }
  chain.push_back(fmt::format("target: {}", plan.target.description));
  return chain;
}

}  // namespace kd
