// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/plan/init_config_text.h"

#include <string_view>

#include "builder/init/init_config.h"
#include "builder/plan/image_plan.h"

namespace kd {
namespace {

std::string_view name_of(kdinit::FinalAction action) {
  switch (action) {
    case kdinit::FinalAction::kHalt:
      return "halt";
    case kdinit::FinalAction::kPoweroff:
      return "poweroff";
    case kdinit::FinalAction::kReboot:
      break;
  }
  return "reboot";
}

}  // namespace

std::string module_image_path(const modsel::Module& module, const Variant& variant) {
  return fmt::format("lib/modules/{}.ko{}", module.name, variant.packed ? ".xz" : "");
}

std::string program_image_path(const ProgramFile& file, const Variant& variant) {
  return file.image_path + (variant.packed ? ".xz" : "");
}

Result<std::string> init_config_text(const PlanInput& input) {
  const Requirements& requirements = input.requirements;
  const Target& target = requirements.target;
  std::string text = fmt::format("kdump-init {}\n", kdinit::kConfigVersion);
  const auto line = [&text](std::string_view key, std::string_view value) {
    text += fmt::format("{} {}\n", key, value);
  };
  line("kernel", input.kernel);
  line("time-zone", requirements.time_zone);
  for (const modsel::Module& module : input.modules.load_order) {
    line(input.root_only.contains(module.name) ? "root-module" : "module",
         "/" + module_image_path(module, input.variant) +
             (module.options.empty() ? "" : " " + module.options));
  }
  if (input.variant.packed) {
    for (const ProgramFile& file : input.programs) {
      line("unpack", program_image_path(file, input.variant));
    }
  }
  for (const RequiredLayer& layer : requirements.layers) {
    line("layer", fmt::format("{} {}{}{}", kdinit::name_of(layer.kind), layer.id,
                              layer.parameters.empty() ? "" : " ", layer.parameters));
  }
  if (requirements.capture == kdinit::CaptureMode::kRootfs) {
    line("capture", "rootfs");
  } else {
    line("target-type", target.fs_type);
    line("target-uuid", target.uuid);
    if (!target.options.empty()) line("target-options", target.options);
    line("dump-directory", target.dump_directory);
  }
  if (requirements.root) {
    line("root-type", requirements.root->fs_type);
    line("root-uuid", requirements.root->uuid);
    if (!requirements.root->options.empty()) line("root-options", requirements.root->options);
  }
  line("target-timeout", std::to_string(requirements.target_timeout));
  line("stall-timeout", std::to_string(requirements.stall_timeout));
  for (const std::string& word : requirements.dump.first) line("dump-argument", word);
  for (const std::string& word : requirements.dump.retry) line("retry-argument", word);
  if (!requirements.dump.note.empty()) line("dump-note", requirements.dump.note);
  if (!requirements.save_dmesg) line("skip-dmesg", "1");
  if (requirements.keep_dumps > 0) line("keep-dumps", std::to_string(requirements.keep_dumps));
  line("failure-action", name_of(requirements.failure_action));
  for (const std::string& setting : requirements.sysctls) line("sysctl", setting);

  kdinit::InitConfig parsed;
  if (const kdinit::ParseError error = kdinit::parse(text, parsed); error.line != 0) {
    return fail(ErrorKind::kUsage,
                "the image's configuration would be refused by init at line {}: {}; shorten or "
                "remove the setting it comes from",
                error.line, error.message);
  }
  return text;
}

}  // namespace kd
