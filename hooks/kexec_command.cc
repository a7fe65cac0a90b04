// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/kexec_command.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace kd {
namespace {

// What chooses the system call: "" leaves it to `extra`.
std::vector<std::string> choices(bool file_load_only, const std::vector<std::string>& extra) {
  constexpr std::array<std::string_view, 6> kChoosing = {
      "-s", "--kexec-file-syscall", "-c", "--kexec-syscall", "-a", "--kexec-syscall-auto"};
  const bool chosen = std::ranges::any_of(extra, [&](const std::string& word) {
    return std::ranges::find(kChoosing, word) != kChoosing.end();
  });
  if (chosen) return {""};
  if (file_load_only) return {"-s"};
  return {"-s", "-c"};
}

}  // namespace

bool chooses_other_call(const std::vector<std::string>& extra) {
  constexpr std::array<std::string_view, 4> kOthers = {"-c", "--kexec-syscall", "-a",
                                                       "--kexec-syscall-auto"};
  return std::ranges::any_of(extra, [&](const std::string& word) {
    return std::ranges::find(kOthers, word) != kOthers.end();
  });
}

std::vector<std::vector<std::string>> load_commands(const KexecRequest& request) {
  std::vector<std::vector<std::string>> commands;
  for (const std::string& choice : choices(request.file_load_only, request.extra)) {
    std::vector<std::string> argv = {request.program, "-p"};
    if (!choice.empty()) argv.push_back(choice);
    if (request.elf_kernel) argv.emplace_back("--args-linux");
    argv.insert(argv.end(), request.extra.begin(), request.extra.end());
    argv.push_back("--command-line=" + request.command_line);
    if (!request.initrd.empty()) argv.push_back("--initrd=" + request.initrd);
    argv.push_back(request.kernel);
    commands.push_back(std::move(argv));
  }
  return commands;
}

std::vector<std::vector<std::string>> unload_commands(const std::string& program,
                                                      bool file_load_only) {
  std::vector<std::vector<std::string>> commands;
  for (const std::string& choice : choices(file_load_only, {})) {
    commands.push_back({program, "-p", "-u", choice});
  }
  return commands;
}

}  // namespace kd
