// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/image.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "builder/policy/network_target.h"
#include "hooks/initramfs_tools.h"
#include "hooks/state.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

constexpr int kStale = 10;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    line.erase(0, line.find_first_not_of(' '));
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

Result<std::vector<std::string>> builder_command(const Context& context,
                                                 std::vector<std::string> options,
                                                 std::string_view version) {
  const std::optional<std::string> program = context.runner.find("kdump-mkinitrd");
  if (!program) {
    return fail(ErrorKind::kFailed, "kdump-mkinitrd is missing; reinstall the package");
  }
  std::vector<std::string> argv = {*program};
  argv.insert(argv.end(), options.begin(), options.end());
  if (context.config_path != kKdumpConfigPath) {
    argv.insert(argv.end(), {"--config", context.config_path});
  }
  if (!context.sysroot.empty()) {
    KD_TRY(const std::string data, context.reader.host_path(kDataDir));
    argv.insert(argv.end(), {"--sysroot", context.sysroot, "--output",
                             fmt::format("{}/initrd.img-{}", data, version)});
  }
  argv.emplace_back(version);
  return argv;
}

Result<ProgramOutcome> run_builder(const Context& context, std::vector<std::string> options,
                                   std::string_view version) {
  KD_TRY(const std::vector<std::string> argv,
         builder_command(context, std::move(options), version));
  return context.runner.run(argv);
}

// In front of other options; nothing when the kernel of the image crashes itself.
std::vector<std::string> with_crashed(std::string_view crashed, std::string_view version,
                                      std::vector<std::string> options) {
  if (!crashed.empty() && crashed != version) {
    options.insert(options.begin(), {"--crashed-kernel", std::string(crashed)});
  }
  return options;
}

// The record in a chroot is of the machine whose root the chroot is.
std::vector<std::string> with_facts(const Context& context, const std::string& facts,
                                    std::vector<std::string> options) {
  if (facts.empty()) return options;
  options.insert(options.end(), {"--facts", facts});
  if (context.sysroot.empty()) options.insert(options.end(), {"--sysroot", "/"});
  return options;
}

ErrorKind kind_of(int status) {
  return status >= 2 && status <= 5 ? static_cast<ErrorKind>(status) : ErrorKind::kFailed;
}

// "kdump-mkinitrd: " is what its own messages start with; ours put it back where it is needed.
std::string message_of(const ProgramOutcome& outcome) {
  const std::vector<std::string> lines = lines_of(outcome.output);
  if (lines.empty()) return fmt::format("kdump-mkinitrd ended with status {}", outcome.status);
  std::string text = fmt::format("{}", fmt::join(lines, "\n  "));
  if (!text.starts_with("kdump-mkinitrd: ")) text.insert(0, "kdump-mkinitrd: ");
  return text;
}

Result<void> make_data_directory(const Context& context) {
  if (context.reader.exists(kDataDir)) return {};
  KD_TRY(const std::string root, context.reader.host_path("/"));
  std::error_code error;
  fs::create_directories((root == "/" ? "" : root) + std::string(kDataDir), error);
  if (error) return fail_errno(error.value(), kDataDir);
  return {};
}

}  // namespace

Result<void> build_image(const Context& context, const KdumpConfig& config,
                         std::string_view version, const BuildOptions& options) {
  if (!is_kernel_version(version)) {
    return fail(ErrorKind::kUsage, "Invalid kernel version : {}", version);
  }
  KD_CHECK(refuse_network(config));
  KD_CHECK(make_data_directory(context));
  std::vector<std::string> arguments;
  if (options.quiet) arguments.emplace_back("-q");
  arguments = with_facts(context, options.facts, std::move(arguments));
  arguments = with_crashed(options.crashed, version, std::move(arguments));
  KD_TRY(const ProgramOutcome outcome, run_builder(context, std::move(arguments), version));
  if (outcome.status == 0) {
    if (!options.quiet) {
      for (const std::string& line : lines_of(outcome.output)) context.say(line);
    }
    return {};
  }
  const std::string why = message_of(outcome);
  // mkinitramfs looks at the machine it runs on and nothing else.
  if (kind_of(outcome.status) == ErrorKind::kTargetNotSupported && options.facts.empty()) {
    return build_with_initramfs_tools(context, version, why);
  }
  return fail(kind_of(outcome.status), "{}", why);
}

Result<int> calibrate(const Context& context, std::string_view version) {
  if (!is_kernel_version(version)) {
    return fail(ErrorKind::kUsage, "Invalid kernel version : {}", version);
  }
  KD_CHECK(make_data_directory(context));
  KD_TRY(const std::vector<std::string> argv, builder_command(context, {"--calibrate"}, version));
  KD_TRY(const ProgramOutcome outcome, context.runner.run_attached(argv));
  return outcome.status == 0 ? 0 : static_cast<int>(kind_of(outcome.status));
}

Result<bool> try_build(const Context& context, std::string_view version, std::string_view crashed) {
  const bool has_other_way = context.runner.find("mkinitramfs").has_value();
  KD_TRY(const ProgramOutcome outcome,
         run_builder(context, with_crashed(crashed, version, {"--dry-run", "-q"}), version));
  const ErrorKind kind = kind_of(outcome.status);
  if (outcome.status == 0) return true;
  if (kind == ErrorKind::kTargetNotSupported && has_other_way) return false;
  return fail(kind, "{}", message_of(outcome));
}

Result<std::string> dry_report(const Context& context, std::string_view version,
                               std::string_view variant, const BuildOptions& options) {
  std::vector<std::string> arguments = with_facts(
      context, options.facts, {"--dry-run", "--json", "--variant", std::string(variant)});
  arguments = with_crashed(options.crashed, version, std::move(arguments));
  KD_TRY(ProgramOutcome outcome, run_builder(context, std::move(arguments), version));
  if (outcome.status == 0) return std::move(outcome.output);
  // The message on stderr comes first, then the same as JSON.
  outcome.output.resize(std::min(outcome.output.find("{\n"), outcome.output.size()));
  return fail(kind_of(outcome.status), "{}", message_of(outcome));
}

Result<std::string> root_image_report(const Context& context, const std::string& path,
                                      std::string_view version) {
  if (version.empty()) {
    return fail(ErrorKind::kFailed, "{} is of a kernel whose version nobody knows", path);
  }
  KD_TRY(const std::string image, context.reader.host_path(path));
  KD_TRY(ProgramOutcome outcome,
         run_builder(context, {"--dry-run", "--json", "--root-image", image}, version));
  if (outcome.status == 0) return std::move(outcome.output);
  return fail(kind_of(outcome.status), "{}", message_of(outcome));
}

std::string image_is_for(const FileReader& reader, std::string_view version) {
  const std::string text = reader.read(manifest_path(version)).value_or("");
  const nlohmann::json manifest = nlohmann::json::parse(text, nullptr, false);
  if (!manifest.is_object()) return std::string(version);
  const auto found = manifest.find("crashed_kernel");
  return found != manifest.end() && found->is_string() ? found->get<std::string>()
                                                       : std::string(version);
}

Freshness check_image(const Context& context, std::string_view version, std::string_view crashed) {
  using State = Freshness::State;
  if (!has_image(context.reader, version)) {
    return {State::kStale, {image_path(version) + " does not exist"}};
  }
  const Result<ProgramOutcome> outcome =
      run_builder(context, with_crashed(crashed, version, {"--check"}), version);
  if (!outcome) return {State::kUnknown, {outcome.error().message}};
  if (outcome->status == 0) return {State::kFresh, {}};
  if (outcome->status == kStale) {
    std::vector<std::string> reasons = lines_of(outcome->output);
    // The first line is the headline "IMAGE is stale:".
    if (reasons.size() > 1) reasons.erase(reasons.begin());
    return {State::kStale, std::move(reasons)};
  }
  if (kind_of(outcome->status) == ErrorKind::kTargetNotSupported &&
      !is_direct_image(context.reader, version)) {
    const std::vector<std::string> changed = changed_since_image(context.reader, version);
    if (changed.empty()) return {State::kFresh, {}};
    return {State::kStale,
            {fmt::format("changed since the image was made: {}", fmt::join(changed, ", "))}};
  }
  return {State::kUnknown, {message_of(*outcome)}};
}

}  // namespace kd
