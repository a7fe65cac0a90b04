// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a boot test and the search for a floor share: files of their own, a machine that panics, and
// how it ends.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "builder/base/result.h"
#include "builder/base/runner.h"
#include "builder/boot_test/virtual_machine.h"

namespace kd {

// A directory below $TMPDIR or /var/tmp that goes with the object.
class WorkDirectory {
 public:
  static Result<WorkDirectory> create();
  ~WorkDirectory();
  WorkDirectory(WorkDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkDirectory& operator=(WorkDirectory&&) = delete;
  [[nodiscard]] std::string path(std::string_view name) const {
    return fmt::format("{}/{}", path_, name);
  }

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Result<void> write_work_file(const std::string& path, std::string_view data);

// ErrorKind::kProgramMissing names the package.
Result<std::string> find_program(const ProgramRunner& runner, const std::string& program);

// The initrd of the kernel that panics: what it loads before. `command_line` is of the capture
// kernel.
struct CrashFiles {
  const std::string& crash_init;  // bytes of kdump-init-crash
  const std::string& kernel;      // bytes of the bzImage
  std::string image;              // bytes of the initrd
  std::string command_line;
};
Result<std::string> first_initrd(const CrashFiles& files);

struct MachineRun {
  std::string console;
  bool timed_out = false;
};

// In seconds: a capture takes 20 without KVM and a few with it.
struct TimeLimits {
  unsigned emulated = 300, kvm = 30;
};

// Runs a machine until it restarts or time is over. Where KVM does not work, `machine` is emulated
// from then on. `machine.qemu` is found here.
Result<MachineRun> run_machine(TestMachine& machine, const TimeLimits& limits,
                               ProgramRunner& runner);

}  // namespace kd
