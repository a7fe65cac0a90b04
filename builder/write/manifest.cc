// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/write/manifest.h"

#include <algorithm>
#include <map>

#include "builder/base/json.h"

namespace kd {
namespace {

constexpr int kManifestVersion = 2;
// Bytes; real ones have some 20 KB, and MODULES=most brings 2,000 modules of 300 bytes.
constexpr std::size_t kMaxManifest = std::size_t{4} << 20;

// A packed image is the same whatever compression the whole one would have.
std::string settings_text(const ImageSettings& settings, const Variant& variant) {
  if (variant.packed) return fmt::format("packed mtime {}", settings.mtime);
  const cpio::Compression& compression = settings.compression;
  return fmt::format("{} level {} window 2^{} mtime {}", cpio::name_of(compression.codec),
                     compression.level ? std::to_string(*compression.level) : "default",
                     compression.window_log, settings.mtime);
}

std::string megabytes(std::uint64_t bytes) {
  return bytes == 0 ? "unknown" : fmt::format("{}M", bytes >> 20);
}

// Of the reasons for another layout, the first that is one.
std::string why_another_layout(const LayoutBasis& before, const LayoutBasis& now) {
  if (before.asked.variant != now.asked.variant) {
    const auto wish = [](const std::string& variant) {
      return variant.empty() ? std::string("none") : "\"" + variant + "\"";
    };
    return fmt::format(": asked for was {}, is {}", wish(before.asked.variant),
                       wish(now.asked.variant));
  }
  if (before.reservation != now.reservation) {
    return fmt::format(": the reservation was {}, is {}", megabytes(before.reservation),
                       megabytes(now.reservation));
  }
  if (before.figures != now.figures) {
    return fmt::format(": memory figures were \"{}\", are \"{}\"", before.memory, now.memory);
  }
  return "";
}

std::vector<std::string> input_differences(const Manifest& old_manifest, const Manifest& now) {
  std::vector<std::string> reasons;
  std::map<std::string_view, const ManifestInput*> before;
  for (const ManifestInput& input : old_manifest.inputs) before[input.path] = &input;
  for (const ManifestInput& input : now.inputs) {
    const auto found = before.find(input.path);
    if (found == before.end()) {
      reasons.push_back(fmt::format("{} is new ({})", input.path, input.reason));
      continue;
    }
    if (found->second->digest != input.digest) {
      reasons.push_back(fmt::format("{} changed{}{}", input.path, input.source.empty() ? "" : ": ",
                                    input.source));
    } else if (*found->second != input) {
      reasons.push_back(
          fmt::format("{} is there for another reason ({})", input.path, input.reason));
    }
    before.erase(found);
  }
  for (const auto& [path, input] : before) {
    reasons.push_back(fmt::format("{} is no longer needed", path));
  }
  return reasons;
}

}  // namespace

Manifest make_manifest(const ImagePlan& plan, const std::vector<std::string>& digests,
                       const ImageSettings& settings, std::vector<std::string> decisions,
                       LayoutBasis basis) {
  Manifest manifest{.tool = KD_VERSION,
                    .kernel = plan.kernel,
                    .crashed_kernel = plan.crashed_kernel,
                    .target = plan.target.description,
                    .settings = settings_text(settings, plan.variant),
                    .variant = std::string(plan.variant.name),
                    .basis = std::move(basis),
                    .decisions = std::move(decisions),
                    .inputs = {},
                    .image_digest = {}};
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const PlanEntry& entry = plan.entries[i];
    manifest.inputs.push_back({.path = entry.path,
                               .source = entry.source_path,
                               .digest = digests[i],
                               .reason = entry.reason});
  }
  return manifest;
}

std::string manifest_to_json(const Manifest& manifest) {
  Json inputs = Json::array();
  for (const ManifestInput& input : manifest.inputs) {
    inputs.push_back({{"path", input.path},
                      {"source", input.source},
                      {"xxh3", input.digest},
                      {"reason", input.reason}});
  }
  const LayoutBasis& basis = manifest.basis;
  return json_text({{"version", kManifestVersion},
                    {"tool", manifest.tool},
                    {"kernel", manifest.kernel},
                    {"crashed_kernel", manifest.crashed_kernel},
                    {"target", manifest.target},
                    {"settings", manifest.settings},
                    {"variant", manifest.variant},
                    {"asked",
                     {{"variant", basis.asked.variant},
                      {"compression", basis.asked.compression},
                      {"level", basis.asked.level}}},
                    {"reservation", basis.reservation},
                    {"needed", manifest.needed},
                    {"figures", basis.figures},
                    {"memory", basis.memory},
                    {"decisions", manifest.decisions},
                    {"image_xxh3", manifest.image_digest},
                    {"image_size", manifest.image_size},
                    {"inputs", std::move(inputs)}});
}

Result<Manifest> manifest_from_json(std::string_view text) {
  KD_TRY(const Json json, parse_json(text, kMaxManifest));
  Manifest manifest;
  std::string problem;
  JsonObject object(json, "", problem);
  std::uint64_t version = 0;
  object.read("version", version);
  if (problem.empty() && version != kManifestVersion) {
    return fail(ErrorKind::kFailed, "/version is {}, this program reads {}", version,
                kManifestVersion);
  }
  object.read("tool", manifest.tool);
  object.read("kernel", manifest.kernel);
  object.read("crashed_kernel", manifest.crashed_kernel);
  object.read("target", manifest.target);
  object.read("settings", manifest.settings);
  object.read("variant", manifest.variant);
  if (const Json* asked = object.find("asked")) {
    JsonObject wishes(*asked, "/asked", problem);
    wishes.read("variant", manifest.basis.asked.variant);
    wishes.read("compression", manifest.basis.asked.compression);
    wishes.read("level", manifest.basis.asked.level);
  }
  object.read("reservation", manifest.basis.reservation);
  object.read("needed", manifest.needed);
  object.read("figures", manifest.basis.figures);
  object.read("memory", manifest.basis.memory);
  object.read("decisions", manifest.decisions);
  object.read("image_xxh3", manifest.image_digest);
  object.read("image_size", manifest.image_size);
  object.read_array("inputs", [&](const Json& element, const std::string& path) {
    ManifestInput& input = manifest.inputs.emplace_back();
    JsonObject members(element, path, problem);
    members.read("path", input.path);
    members.read("source", input.source);
    members.read("xxh3", input.digest);
    members.read("reason", input.reason);
  });
  if (!problem.empty()) return fail(ErrorKind::kFailed, "{}", problem);
  return manifest;
}

std::vector<std::string> differences(const Manifest& old_manifest, const Manifest& now) {
  std::vector<std::string> reasons;
  const auto compare = [&reasons](std::string_view what, const std::string& before,
                                  const std::string& after, const std::string& why = {}) {
    if (before == after) return;
    reasons.push_back(fmt::format("{}: \"{}\" is now \"{}\"{}", what, before, after, why));
  };
  compare("kdump-mkinitrd version", old_manifest.tool, now.tool);
  compare("kernel", old_manifest.kernel, now.kernel);
  compare("target", old_manifest.target, now.target);
  compare("layout", old_manifest.variant, now.variant,
          why_another_layout(old_manifest.basis, now.basis));
  // Another layout has other settings and other files anyway.
  if (old_manifest.variant != now.variant) return reasons;
  compare("image settings", old_manifest.settings, now.settings);
  if (old_manifest.decisions != now.decisions) {
    reasons.push_back(fmt::format(
        "decisions: now {}",
        now.decisions.empty() ? "none" : fmt::format("{}", fmt::join(now.decisions, "; "))));
  }
  const std::vector<std::string> inputs = input_differences(old_manifest, now);
  reasons.insert(reasons.end(), inputs.begin(), inputs.end());
  // What the same image needs is what `kdump-config status` believes.
  if (reasons.empty() && old_manifest.needed != now.needed) {
    reasons.push_back(fmt::format("memory: it needed {}, it needs {}: {}",
                                  megabytes(old_manifest.needed), megabytes(now.needed),
                                  now.basis.memory));
  }
  return reasons;
}

}  // namespace kd
