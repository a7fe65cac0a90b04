// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/candidates.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "builder/facts/bzimage.h"
#include "builder/facts/gather.h"
#include "builder/facts/pe_signature.h"
#include "hooks/image.h"

namespace kd {
namespace {

using nlohmann::json;

// A hardware watchdog that is counting: with another kernel nobody answers it without its driver.
struct ArmedWatchdog {
  std::string name;
  std::vector<std::string> modules;  // of its driver and the buses below, as the running kernel's
};

std::vector<ArmedWatchdog> armed_watchdogs(const Context& context, const KdumpConfig& config) {
  std::vector<ArmedWatchdog> armed;
  const Result<MachineFacts> machine = gather_machine(context.reader, config.core_dir);
  if (!machine) return armed;
  for (const Watchdog& watchdog : machine->watchdogs) {
    // CONFIG_WATCHDOG_SYSFS; Documentation/ABI/testing/sysfs-class-watchdog.
    const std::string state =
        context.reader.read(fmt::format("/sys/class/watchdog/{}/state", watchdog.name))
            .value_or("");
    if (!state.starts_with("active")) continue;
    ArmedWatchdog& item = armed.emplace_back(ArmedWatchdog{.name = watchdog.name, .modules = {}});
    for (const BusNode& node : watchdog.chain) {
      if (!node.module.empty()) item.modules.push_back(node.module);
    }
  }
  return armed;
}

// What is the same for all candidates.
struct Situation {
  const Context& context;
  const ChoiceInputs& inputs;
  std::vector<ArmedWatchdog> armed;
  std::string crashed_config;
};

Situation situation_of(const Context& context, const ChoiceInputs& inputs) {
  return {.context = context,
          .inputs = inputs,
          .armed = inputs.facts.empty() ? armed_watchdogs(context, inputs.config)
                                        : std::vector<ArmedWatchdog>(),
          .crashed_config = kernel_config(context.reader, inputs.running)};
}

// Of a 32-bit kernel /proc/vmcore does not reach all of a 64-bit one.
bool same_architecture(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return true;
  return std::ranges::all_of(
      std::initializer_list<std::string_view>{"CONFIG_X86_64", "CONFIG_ARM64"},
      [&](std::string_view option) { return config_has(a, option) == config_has(b, option); });
}

// What its files say against a kernel; empty: nothing.
std::string cannot_run(const Situation& now, const std::string& version) {
  const Result<KernelFacts> kernel = gather_kernel(now.context.reader, version);
  if (!kernel) return kernel.error().message;
  if (!kernel->may_have("CONFIG_PROC_VMCORE")) return "it has no /proc/vmcore (CONFIG_PROC_VMCORE)";
  if (!same_architecture(kernel->config, now.crashed_config)) {
    return "it is of another architecture than the running kernel";
  }
  const Result<FileStatus> file = now.context.reader.status(kernel->vmlinuz);
  const Result<std::string> start = read_start(now.context.reader, kernel->vmlinuz);
  if (!file || !start) return fmt::format("{} cannot be read", kernel->vmlinuz);
  const Result<BzImage> header = parse_bzimage(*start, file->size);
  if (header && !header->relocatable) return "it is not relocatable (CONFIG_RELOCATABLE)";
  if (now.inputs.signed_only && !has_pe_signature(*start)) {
    return "it is not signed, and kexec takes only signed kernels here";
  }
  return {};
}

// Whether a text of paths has that of a module, which its file may spell with '-' for '_'.
bool has_module(std::string paths, const std::string& module) {
  std::ranges::replace(paths, '-', '_');
  return paths.find(fmt::format("/{}.ko", module)) != std::string::npos;
}

bool is_in_image(const json& report, const std::string& module) {
  return std::ranges::any_of(report.value("entries", json::array()), [&](const json& entry) {
    return has_module(entry.value("path", ""), module);
  });
}

bool is_builtin(const FileReader& reader, const std::string& version, const std::string& module) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"/lib/modules", "/usr/lib/modules"},
      [&](std::string_view modules) {
        return has_module(
            reader.read(fmt::format("{}/{}/modules.builtin", modules, version)).value_or(""),
            module);
      });
}

// Whom nobody would answer; empty: nobody.
std::string unanswered_watchdog(const Situation& now, const std::string& version,
                                const json& report) {
  if (version == now.inputs.running) return {};
  for (const ArmedWatchdog& watchdog : now.armed) {
    const bool answered =
        !watchdog.modules.empty() &&
        std::ranges::all_of(watchdog.modules, [&](const std::string& module) {
          return is_in_image(report, module) || is_builtin(now.context.reader, version, module);
        });
    if (!answered) {
      return fmt::format("{} is armed, and the kernel is not known to have its driver {}",
                         watchdog.name, fmt::join(watchdog.modules, ", "));
    }
  }
  return {};
}

// Of the terms of the moment that decides.
std::string source_of(const json& fit) {
  for (const json& peak : fit.at("peaks")) {
    if (peak.at("name") != fit.at("decides")) continue;
    for (const json& term : peak.at("terms")) {
      if (term.at("name") == "kernel") return term.at("source");
    }
  }
  return {};
}

void read_report(const Situation& now, const std::string& text, KernelCandidate& candidate) {
  try {
    const json report = json::parse(text);
    const json& fit = report.at("fit");
    candidate.needed = fit.at("needed_bytes");
    candidate.source = source_of(fit);
    candidate.unfit = unanswered_watchdog(now, candidate.version, report);
  } catch (const json::exception& error) {
    candidate.unfit = fmt::format("kdump-mkinitrd --json: {}", error.what());
  }
}

// Messages of the builder are for one who builds: with its name in front.
std::string reason_of(std::string message) {
  constexpr std::string_view kName = "kdump-mkinitrd: ";
  if (message.starts_with(kName)) message.erase(0, kName.size());
  std::ranges::replace(message, '\n', ' ');
  return message;
}

KernelCandidate examine(const Situation& now, const std::string& version) {
  KernelCandidate candidate{.version = version, .source = {}, .unfit = cannot_run(now, version)};
  if (!candidate.unfit.empty()) return candidate;
  const Result<std::string> report = dry_report(
      now.context, version, "packed", {.facts = now.inputs.facts, .crashed = now.inputs.running});
  if (report) {
    read_report(now, *report, candidate);
  } else if (report.error().kind == ErrorKind::kTargetNotSupported && now.inputs.facts.empty() &&
             now.context.runner.find("mkinitramfs")) {
    candidate.source =
        "an image by mkinitramfs, which nobody has weighed: " + reason_of(report.error().message);
  } else {
    candidate.unfit = reason_of(report.error().message);
  }
  return candidate;
}

std::vector<KernelCandidate> examine_all(const Context& context, const ChoiceInputs& inputs,
                                         const std::vector<std::string>& versions) {
  const Situation now = situation_of(context, inputs);
  std::vector<KernelCandidate> candidates;
  for (const std::string& version : versions) {
    if (version != inputs.removed) candidates.push_back(examine(now, version));
  }
  return candidates;
}

}  // namespace

ChoiceInputs choice_inputs(const KdumpState& state) {
  return {.config = state.config,
          .running = state.running,
          .signed_only = !state.file_load_only.empty(),
          .removed = {},
          .facts = {}};
}

std::vector<KernelCandidate> examine_kernels(const Context& context, const ChoiceInputs& inputs) {
  return examine_all(context, inputs, installed_versions(context.reader));
}

KernelChoice choose_capture_kernel(const Context& context, const ChoiceInputs& inputs) {
  const std::string& setting = inputs.config.kernel_version;
  if (setting == "running") return choose_kernel(setting, inputs.running, {});
  std::vector<std::string> versions = installed_versions(context.reader);
  if (setting != "smallest") {
    std::erase_if(versions, [&](const std::string& version) { return version != setting; });
  }
  return choose_kernel(setting, inputs.running, examine_all(context, inputs, versions));
}

}  // namespace kd
