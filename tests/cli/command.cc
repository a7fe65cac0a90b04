// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/cli/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

pid_t spawn(const std::vector<std::string>& command, const std::vector<std::string>& environment,
            const std::string& out, const std::string& err) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (const std::string& entry : environment) envp.push_back(const_cast<char*>(entry.c_str()));
  for (char** entry = environ; *entry != nullptr; ++entry) envp.push_back(*entry);
  envp.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = -1;
  if (posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), envp.data()) != 0) pid = -1;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

}  // namespace

RunResult run(const std::vector<std::string>& command,
              const std::vector<std::string>& environment) {
  const TemporaryDirectory scratch;
  const std::string out = scratch.path("out");
  const std::string err = scratch.path("err");
  const pid_t pid = spawn(command, environment, out, err);
  if (pid < 0) return {.exit_code = 127, .out = {}, .err = "cannot start " + command[0]};
  int status = 0;
  waitpid(pid, &status, 0);
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read_file(out),
          .err = read_file(err)};
}

pid_t start(const std::vector<std::string>& command) {
  return spawn(command, {}, "/dev/null", "/dev/null");
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;  // a stream iterator takes 0.2 s for an image
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(text).str();
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::vector<TestKernel> test_kernels() {
  const char* directory = std::getenv("KD_KERNELS");
  std::vector<TestKernel> kernels;
  if (directory == nullptr) return kernels;
  for (const fs::directory_entry& root : fs::directory_iterator(directory)) {
    for (const char* modules : {"lib/modules", "usr/lib/modules"}) {
      if (!fs::is_directory(root.path() / modules) || fs::is_symlink(root.path() / "lib")) {
        if (modules == std::string_view("lib/modules")) continue;
      }
      std::error_code error;
      for (const fs::directory_entry& version :
           fs::directory_iterator(root.path() / modules, error)) {
        if (!fs::exists(version.path() / "modules.dep.bin")) continue;
        kernels.push_back({root.path().string(), version.path().filename().string()});
      }
    }
  }
  std::ranges::sort(kernels, {}, &TestKernel::version);
  const auto same = std::ranges::unique(kernels, {}, &TestKernel::version);
  kernels.erase(same.begin(), same.end());
  return kernels;
}

}  // namespace kd
