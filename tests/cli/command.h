// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs the real program the way a user does.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kd {

struct RunResult {
  int exit_code = -1;  // 128 + signal when killed
  std::string out;
  std::string err;
};

// `environment` entries "NAME=value" are added to this process's own.
RunResult run(const std::vector<std::string>& command,
              const std::vector<std::string>& environment = {});

// Starts without waiting; the caller reaps.
pid_t start(const std::vector<std::string>& command);

std::string read_file(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);

// A kernel of KD_KERNELS: its root and version.
struct TestKernel {
  std::string root;
  std::string version;
};
std::vector<TestKernel> test_kernels();

}  // namespace kd
