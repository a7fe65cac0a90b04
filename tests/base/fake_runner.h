// SPDX-License-Identifier: GPL-2.0-or-later
//
// Programs that only pretend; a test says what each does and sees how it was called.
#pragma once

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "builder/base/runner.h"

namespace kd {

class FakeRunner : public ProgramRunner {
 public:
  using Program = std::function<ProgramOutcome(const std::vector<std::string>& argv)>;

  [[nodiscard]] std::optional<std::string> find(std::string_view name) const override {
    if (const auto real = paths.find(name); real != paths.end()) return real->second;
    if (!programs.contains(name)) return std::nullopt;
    return "/usr/sbin/" + std::string(name);
  }
  Result<ProgramOutcome> run(const std::vector<std::string>& argv) override {
    calls.push_back(argv);
    const auto found = programs.find(std::filesystem::path(argv.at(0)).filename().string());
    if (found == programs.end()) return fail_errno(ENOENT, argv.at(0));
    return found->second(argv);
  }
  Result<ProgramOutcome> run_attached(const std::vector<std::string>& argv) override {
    return run(argv);
  }
  [[nodiscard]] std::vector<std::string> names_called() const {
    std::vector<std::string> names;
    for (const auto& argv : calls) names.push_back(std::filesystem::path(argv[0]).filename());
    return names;
  }

  std::map<std::string, Program, std::less<>> programs;
  std::map<std::string, std::string, std::less<>> paths;  // of programs that are started for real
  std::vector<std::vector<std::string>> calls;
};

}  // namespace kd
