// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/estimate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "builder/facts/gather.h"
#include "builder/policy/network_target.h"
#include "hooks/candidates.h"
#include "hooks/cloud_kernel.h"
#include "hooks/image.h"
#include "hooks/state.h"

namespace kd {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::string peak_text(const json& peak) {
  std::string text =
      fmt::format("\nwhile {:<24} {:>6}\n", peak.at("name").get<std::string>(), "MiB");
  const auto row = [&text](const std::string& name, const json& bytes, const std::string& why) {
    text += fmt::format("  {:<28} {:>6.1f}{}{}\n", name, bytes.get<double>() / kMiB,
                        why.empty() ? "" : "  ", why);
  };
  for (const json& term : peak.at("terms"))
    row(term.at("name"), term.at("bytes"), term.at("source"));
  row("together", peak.at("bytes"), "");
  return text;
}

Estimate of_reports(const json& whole, const json& packed, bool real_root) {
  const json& fit = whole.at("fit");
  const auto needed = fit.at("needed_bytes").get<std::uint64_t>();
  const auto least = packed.at("fit").at("needed_bytes").get<std::uint64_t>();
  const auto reserved = fit.at("reservation_bytes").get<std::uint64_t>();
  Estimate estimate{.need = {.bytes = needed, .real_root = real_root}};
  std::string& text = estimate.text;
  text = fmt::format("crashkernel={}M\n\nkernel {}, {}\n",
                     recommended_reservation(estimate.need) / kMiB,
                     whole.at("kernel").get<std::string>(), whole.at("target").get<std::string>());
  for (const json& peak : fit.at("peaks")) text += peak_text(peak);
  text += fmt::format("\n{}M is needed", needed / kMiB);
  if (least < needed) text += fmt::format(", {}M with the layout \"packed\"", least / kMiB);
  text += ". The recommendation is an eighth more, for\ndevices that nobody has measured, ";
  text += real_root ? "and 192M at least, because the real root decides which\nservices it starts. "
                    : "in steps of 8M, and 96M at least. ";
  text += reserved == 0 ? "No reservation is known here.\n"
                        : fmt::format("Reserved are {}M.\n", reserved / kMiB);
  return estimate;
}

// Nobody knows the size of an image that mkinitramfs has not made.
Estimate before_it_is_made(const std::string& why) {
  Estimate estimate{.need = {.bytes = 0, .real_root = true}};
  estimate.text = fmt::format(
      "crashkernel={}M\n\n{}\n\nAn image by mkinitramfs will boot the real root, which saves the "
      "dump: {}M on a small system.\nWhat this image takes is known when kdump-config load has "
      "made it.\n",
      recommended_reservation(estimate.need) / kMiB, why,
      recommended_reservation(estimate.need) / kMiB);
  return estimate;
}

// Of the kernel `version` as the capture kernel.
Result<Estimate> of_this_machine(const Context& context, const KdumpState& state,
                                 const std::string& version) {
  const BuildOptions options{.facts = {},
                             .crashed = crashed_kernel(state.config, state.running, version)};
  const Result<std::string> whole = dry_report(context, version, "whole", options);
  if (whole) {
    KD_TRY(const std::string packed, dry_report(context, version, "packed", options));
    return estimate_of(*whole, packed, state.config.capture == "rootfs");
  }
  if (whole.error().kind != ErrorKind::kTargetNotSupported || !context.runner.find("mkinitramfs")) {
    return tl::unexpected(whole.error());
  }
  if (!has_image(context.reader, version) || is_direct_image(context.reader, version)) {
    return before_it_is_made(whole.error().message);
  }
  KD_TRY(const std::string weighed, root_image_report(context, image_path(version), version));
  return estimate_of(weighed, weighed, true);
}

// What other kernels would need; nothing where no kernel can be compared.
std::string other_kernels(const Context& context, const KdumpState& state,
                          const std::vector<KernelCandidate>& candidates,
                          const KernelChoice& choice) {
  if (std::ranges::none_of(candidates,
                           [](const KernelCandidate& kernel) { return kernel.needed > 0; })) {
    return {};
  }
  std::string text = "\nInstalled kernels as the capture kernel, with the layout \"packed\":\n";
  text += candidates_text(candidates, state.running, choice);
  text += (choice.reason.empty() ? "KDUMP_KERNEL_VERSION=running" : choice.reason) + ".\n";
  const KernelChoice least = choose_kernel("smallest", state.running, candidates);
  if (least.version != choice.version) text += "With " + least.reason + ".\n";
  const Result<MachineFacts> machine = gather_machine(context.reader, state.config.core_dir);
  const std::string hint = machine ? cloud_kernel_hint(*machine, candidates) : std::string();
  return hint.empty() ? text : text + hint + "\n";
}

}  // namespace

Result<Estimate> estimate_of(std::string_view whole, std::string_view packed, bool real_root) {
  try {
    return of_reports(json::parse(whole), json::parse(packed), real_root);
  } catch (const json::exception& error) {
    return fail(ErrorKind::kFailed, "kdump-mkinitrd --json: {}", error.what());
  }
}

Result<std::string> estimate(const Context& context, bool write) {
  KD_TRY(const KdumpConfig config, read_kdump_config(context.reader, context.config_path));
  KD_CHECK(refuse_network(config));
  KD_TRY(const KdumpState state, read_state(context.reader, context.config_path));
  const ChoiceInputs inputs = choice_inputs(state);
  const std::vector<KernelCandidate> candidates = examine_kernels(context, inputs);
  const KernelChoice choice = choose_kernel(state.config.kernel_version, state.running, candidates);
  KD_TRY(Estimate estimate, of_this_machine(context, state, choice.version));
  estimate.text += other_kernels(context, state, candidates, choice);
  if (write) {
    KD_TRY(const std::string value, want_reservation(context, estimate.need, state.ram));
    estimate.text += fmt::format(
        "\nThe next update-grub takes crashkernel={} from {}, unless a crashkernel= of your own is "
        "in /etc/default/grub.\n",
        value, kWantedReservation);
  }
  return std::move(estimate.text);
}

Result<Need> need_of_file(const Context& context, const std::string& image,
                          std::string_view version) {
  KD_TRY(const std::string report, root_image_report(context, image, version));
  KD_TRY(const Estimate estimate, estimate_of(report, report, true));
  return estimate.need;
}

Result<Need> need_of_image(const Context& context, const KdumpConfig& config,
                           std::string_view version) {
  const std::string manifest = manifest_path(version);
  if (!context.reader.exists(manifest)) {
    return need_of_file(context, image_path(version), version);
  }
  KD_TRY(const std::string text, context.reader.read(manifest));
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("needed") || !parsed["needed"].is_number_unsigned()) {
    return fail(ErrorKind::kFailed, "{} does not say what the image needs", manifest);
  }
  return Need{.bytes = parsed["needed"], .real_root = config.capture == "rootfs"};
}

void note_need(const Context& context, const KdumpConfig& config, std::string_view version,
               std::uint64_t reservation, std::uint64_t ram) {
  const Result<Need> need = need_of_image(context, config, version);
  if (!need) {
    context.say(need.error().message + ", so nobody can tell whether the image fits");
    return;
  }
  const Result<std::string> value = want_reservation(context, *need, ram);
  if (!value) context.say(value.error().message + ", ignoring");
  if (!value || reservation == 0 || need->bytes <= reservation) return;
  context.say(
      fmt::format("the image needs {}M and {}M are reserved: update-grub sets crashkernel={}, run "
                  "it and reboot",
                  need->bytes / kMiB, reservation / kMiB, *value));
}

}  // namespace kd
