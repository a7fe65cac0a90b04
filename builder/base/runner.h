// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace kd {

struct ProgramOutcome {
  int status = 0;      // exit code, or 128 + signal as shells count
  std::string output;  // stdout and stderr in the order of writing; empty when attached
};

// Starts other programs: always as argv, never through a shell. Tests replace it.
class ProgramRunner {
 public:
  virtual ~ProgramRunner() = default;
  // The path of an installed program.
  [[nodiscard]] virtual std::optional<std::string> find(std::string_view name) const = 0;
  // argv[0] is a path. An error means that it did not start.
  virtual Result<ProgramOutcome> run(const std::vector<std::string>& argv) = 0;
  // With our own stdin, stdout and stderr, for programs that talk to the administrator.
  virtual Result<ProgramOutcome> run_attached(const std::vector<std::string>& argv) = 0;
};

// Looks beside this program first, then in the fixed directories of the system: PATH and the rest
// of the environment belong to whoever called us and are not passed on, but for TERM.
class SystemRunner final : public ProgramRunner {
 public:
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const override;
  Result<ProgramOutcome> run(const std::vector<std::string>& argv) override;
  Result<ProgramOutcome> run_attached(const std::vector<std::string>& argv) override;
};

// Starts argv[0] of each with the stdout of one as the stdin of the next, the last one's into
// `file` (created or truncated). The caller waits for the processes; after an error there are none.
Result<std::vector<int>> start_pipeline(const std::vector<std::vector<std::string>>& commands,
                                        const std::string& file);

// Waits for a process of ours; its exit code, or 128 + signal as shells count.
int wait_for_process(int pid);

// For people: as it could be typed, quoted where a shell would need it.
std::string describe_command(const std::vector<std::string>& argv);

}  // namespace kd
