// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/propagate.h"

namespace kd {
namespace {

Result<void> run(const Context& context, std::string_view program,
                 std::vector<std::string> arguments) {
  const std::optional<std::string> path = context.runner.find(program);
  if (!path) {
    return fail(ErrorKind::kFailed, "{} is missing; install openssh-client", program);
  }
  arguments.insert(arguments.begin(), *path);
  KD_TRY(const ProgramOutcome outcome, context.runner.run_attached(arguments));
  if (outcome.status != 0) {
    return fail(ErrorKind::kFailed, "{} ended with status {}", describe_command(arguments),
                outcome.status);
  }
  return {};
}

}  // namespace

Result<void> propagate(const Context& context, const KdumpConfig& config) {
  if (config.ssh.empty()) {
    return fail(ErrorKind::kFailed,
                "Remote ssh dump is not configured. No reason to propagate; set SSH in {}",
                context.config_path);
  }
  if (context.reader.exists(config.ssh_key)) {
    context.say("Using existing key " + config.ssh_key);
  } else {
    context.say("Need to generate a new ssh key...");
    KD_CHECK(run(context, "ssh-keygen", {"-q", "-t", "rsa", "-f", config.ssh_key, "-N", ""}));
  }
  if (Result<void> sent = run(context, "ssh-copy-id", {"-i", config.ssh_key, config.ssh}); !sent) {
    return in_context(fmt::format("{} failed to be sent to {}", config.ssh_key, config.ssh),
                      sent.error());
  }
  context.say(fmt::format("propagated ssh key {} to server {}", config.ssh_key, config.ssh));
  return {};
}

}  // namespace kd
