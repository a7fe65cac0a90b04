// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/estimate.h"

#include <nlohmann/json.hpp>

#include "hooks/image.h"
#include "hooks/state.h"

namespace kd {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kStep = 8 * kMiB;

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

std::string text_of(const json& whole, const json& packed) {
  const json& fit = whole.at("fit");
  const auto needed = fit.at("needed_bytes").get<std::uint64_t>();
  const auto least = packed.at("fit").at("needed_bytes").get<std::uint64_t>();
  const auto reserved = fit.at("reservation_bytes").get<std::uint64_t>();
  std::string text =
      fmt::format("crashkernel={}M\n\nkernel {}, {}\n", recommended_reservation(needed) / kMiB,
                  whole.at("kernel").get<std::string>(), whole.at("target").get<std::string>());
  for (const json& peak : fit.at("peaks")) text += peak_text(peak);
  text += fmt::format(
      "\n{}M is needed, {}M with the layout \"packed\". The recommendation is an eighth more, for\n"
      "devices that nobody has measured, in steps of {}M. ",
      needed / kMiB, least / kMiB, kStep / kMiB);
  text += reserved == 0 ? "No reservation is known here.\n"
                        : fmt::format("Reserved are {}M.\n", reserved / kMiB);
  return text;
}

}  // namespace

std::uint64_t recommended_reservation(std::uint64_t needed) {
  return (needed + needed / 8 + kStep - 1) / kStep * kStep;
}

Result<std::string> estimate_text(std::string_view whole, std::string_view packed) {
  try {
    return text_of(json::parse(whole), json::parse(packed));
  } catch (const json::exception& error) {
    return fail(ErrorKind::kFailed, "kdump-mkinitrd --json: {}", error.what());
  }
}

Result<std::string> estimate(const Context& context) {
  KD_TRY(const KdumpConfig config, read_kdump_config(context.reader, context.config_path));
  KD_CHECK(refuse_network(config));
  KD_TRY(const KdumpState state, read_state(context.reader, context.config_path));
  KD_TRY(const std::string whole, dry_report(context, state.running, "whole"));
  KD_TRY(const std::string packed, dry_report(context, state.running, "packed"));
  KD_TRY(std::string text, estimate_text(whole, packed));
  if (config.capture == "rootfs") {
    text +=
        "KDUMP_CAPTURE=rootfs: the system in the real root takes more on top, mostly 64M to "
        "256M.\n";
  }
  return text;
}

}  // namespace kd
