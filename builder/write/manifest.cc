// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/write/manifest.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace kd {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kManifestVersion = 1;

std::string settings_text(const ImageSettings& settings) {
  const cpio::Compression& compression = settings.compression;
  return fmt::format("{} window 2^{} mtime {}", cpio::name_of(compression.codec),
                     compression.window_log, settings.mtime);
}

constexpr std::string_view kDefaultLevel = "default";

std::string level_text(const ImageSettings& settings) {
  const std::optional<int>& level = settings.compression.level;
  return level ? std::to_string(*level) : std::string(kDefaultLevel);
}

std::string megabytes(std::uint64_t bytes) {
  return bytes == 0 ? "unknown" : fmt::format("{}M", bytes >> 20);
}

// Reads members of one JSON object and remembers the first problem with its path.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

  template <typename T>
  void read(const char* name, T& target) {
    if (!problem_.empty()) return;
    const std::string member_path = path_ + "/" + name;
    const auto member = object_.is_object() ? object_.find(name) : object_.end();
    if (!object_.is_object() || member == object_.end()) {
      problem_ = member_path + " is missing";
      return;
    }
    bool right_type = false;
    if constexpr (std::is_same_v<T, std::string>) right_type = member->is_string();
    if constexpr (std::is_same_v<T, std::uint64_t>) right_type = member->is_number_unsigned();
    if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      right_type = member->is_array() && std::ranges::all_of(*member, [](const Json& element) {
                     return element.is_string();
                   });
    }
    if (right_type) {
      member->get_to(target);
    } else {
      problem_ = member_path + " has the wrong type";
    }
  }

  [[nodiscard]] Result<void> result() const {
    if (problem_.empty()) return {};
    return fail(ErrorKind::kFailed, "{}", problem_);
  }

 private:
  const Json& object_;
  std::string path_;
  std::string problem_;
};

}  // namespace

Manifest make_manifest(const ImagePlan& plan, const std::vector<std::string>& digests,
                       const ImageSettings& settings, std::vector<std::string> decisions,
                       std::uint64_t reservation, std::string memory) {
  Manifest manifest{.tool = KD_VERSION,
                    .kernel = plan.kernel,
                    .target = plan.target.description,
                    .settings = settings_text(settings),
                    .level = level_text(settings),
                    .variant = std::string(plan.variant.name),
                    .reservation = reservation,
                    .memory = std::move(memory),
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
  const Json json = {{"version", kManifestVersion},       {"tool", manifest.tool},
                     {"kernel", manifest.kernel},         {"target", manifest.target},
                     {"settings", manifest.settings},     {"level", manifest.level},
                     {"variant", manifest.variant},       {"reservation", manifest.reservation},
                     {"needed", manifest.needed},         {"memory", manifest.memory},
                     {"decisions", manifest.decisions},   {"image_xxh3", manifest.image_digest},
                     {"image_size", manifest.image_size}, {"inputs", std::move(inputs)}};
  // File names may hold any byte but zero.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Manifest> manifest_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail(ErrorKind::kFailed, "not valid JSON");
  Manifest manifest;
  std::uint64_t version = 0;
  ObjectReader reader(json, "");
  reader.read("version", version);
  KD_CHECK(reader.result());
  if (version != kManifestVersion) {
    return fail(ErrorKind::kFailed, "/version is {}, this program reads {}", version,
                kManifestVersion);
  }
  reader.read("tool", manifest.tool);
  reader.read("kernel", manifest.kernel);
  reader.read("target", manifest.target);
  reader.read("settings", manifest.settings);
  reader.read("level", manifest.level);
  reader.read("variant", manifest.variant);
  reader.read("reservation", manifest.reservation);
  reader.read("needed", manifest.needed);
  reader.read("memory", manifest.memory);
  reader.read("decisions", manifest.decisions);
  reader.read("image_xxh3", manifest.image_digest);
  reader.read("image_size", manifest.image_size);
  KD_CHECK(reader.result());
  const auto inputs = json.find("inputs");
  if (inputs == json.end() || !inputs->is_array()) {
    return fail(ErrorKind::kFailed, "/inputs is not an array");
  }
  for (std::size_t i = 0; i < inputs->size(); ++i) {
    ManifestInput input;
    ObjectReader input_reader((*inputs)[i], fmt::format("/inputs/{}", i));
    input_reader.read("path", input.path);
    input_reader.read("source", input.source);
    input_reader.read("xxh3", input.digest);
    input_reader.read("reason", input.reason);
    KD_CHECK(input_reader.result());
    manifest.inputs.push_back(std::move(input));
  }
  return manifest;
}

std::vector<std::string> differences(const Manifest& old_manifest, const Manifest& now) {
  std::vector<std::string> reasons;
  const auto compare = [&reasons](std::string_view what, const std::string& before,
                                  const std::string& after) {
    if (before != after)
      reasons.push_back(fmt::format("{}: \"{}\" is now \"{}\"", what, before, after));
  };
  compare("kdump-mkinitrd version", old_manifest.tool, now.tool);
  compare("kernel", old_manifest.kernel, now.kernel);
  compare("target", old_manifest.target, now.target);
  compare("image settings", old_manifest.settings, now.settings);
  if (now.level != kDefaultLevel) compare("compression level", old_manifest.level, now.level);
  compare("layout", old_manifest.variant, now.variant);
  compare("reservation", megabytes(old_manifest.reservation), megabytes(now.reservation));
  compare("memory figures", old_manifest.memory, now.memory);
  if (old_manifest.decisions != now.decisions) {
    reasons.push_back(fmt::format(
        "decisions: now {}",
        now.decisions.empty() ? "none" : fmt::format("{}", fmt::join(now.decisions, "; "))));
  }

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

}  // namespace kd
