// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/kernel_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "builder/facts/kernel.h"

namespace kd {
namespace {

constexpr unsigned kMebibyte = 20;  // bits

std::string megabytes(const KernelCandidate& candidate) {
  return candidate.needed == 0 ? "-" : fmt::format("{}M", candidate.needed >> kMebibyte);
}

KernelChoice named(std::string_view release, std::string_view running,
                   const std::vector<KernelCandidate>& candidates) {
  const auto found = std::ranges::find(candidates, release, &KernelCandidate::version);
  if (release == running || (found != candidates.end() && found->unfit.empty())) {
    return {.version = std::string(release),
            .reason = fmt::format("KDUMP_KERNEL_VERSION={}", release)};
  }
  return {.version = std::string(running),
          .reason = fmt::format(
              "KDUMP_KERNEL_VERSION={}: {}; the running kernel {} takes its place", release,
              found == candidates.end() ? "it is not installed" : found->unfit, running),
          .followed = false};
}

KernelChoice smallest(std::string_view running, const std::vector<KernelCandidate>& candidates) {
  const auto better = [running](const KernelCandidate& a, const KernelCandidate& b) {
    const std::uint64_t needs_a = a.needed >> kMebibyte, needs_b = b.needed >> kMebibyte;
    if (needs_a != needs_b) return needs_a < needs_b;
    if ((a.version == running) != (b.version == running)) return a.version == running;
    return newer_release(a.version, b.version);
  };
  const KernelCandidate* best = nullptr;
  for (const KernelCandidate& candidate : candidates) {
    if (!candidate.unfit.empty() || candidate.needed == 0) continue;
    if (best == nullptr || better(candidate, *best)) best = &candidate;
  }
  if (best == nullptr) {
    return {.version = std::string(running),
            .reason =
                "KDUMP_KERNEL_VERSION=smallest: of no installed kernel is known that it can "
                "capture here, the running one is taken"};
  }
  std::string reason =
      fmt::format("KDUMP_KERNEL_VERSION=smallest: {} needs {}", best->version, megabytes(*best));
  const auto own = std::ranges::find(candidates, running, &KernelCandidate::version);
  if (best->version == running) {
    reason += ", and no other installed kernel that can capture here less";
  } else if (own == candidates.end() || !own->unfit.empty()) {
    reason += fmt::format(", the running kernel {} cannot capture here", running);
  } else {
    reason += fmt::format(", the running kernel {} {}", running, megabytes(*own));
  }
  return {.version = best->version, .reason = std::move(reason)};
}

}  // namespace

KernelChoice choose_kernel(std::string_view setting, std::string_view running,
                           const std::vector<KernelCandidate>& candidates) {
  if (setting == "running") return {.version = std::string(running), .reason = {}};
  return setting == "smallest" ? smallest(running, candidates)
                               : named(setting, running, candidates);
}

std::string crashed_kernel(const KdumpConfig& config, std::string_view running,
                           std::string_view version) {
  return std::string(config.kernel_version == "running" ? version : running);
}

std::string candidates_text(const std::vector<KernelCandidate>& candidates,
                            std::string_view running, const KernelChoice& chosen) {
  std::size_t width = 0;
  for (const KernelCandidate& candidate : candidates) {
    width = std::max(width, candidate.version.size());
  }
  std::string text;
  for (const KernelCandidate& candidate : candidates) {
    text +=
        fmt::format("{} {:<{}} {:>6}  {}{}\n", candidate.version == chosen.version ? '>' : ' ',
                    candidate.version, width, candidate.unfit.empty() ? megabytes(candidate) : "-",
                    candidate.unfit.empty() ? candidate.source : candidate.unfit,
                    candidate.version == running ? " (running)" : "");
  }
  return text;
}

}  // namespace kd
