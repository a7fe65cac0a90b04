// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/rig.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "builder/base/atomic_file.h"
#include "cpio/archive.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

struct Package {
  std::string_view program, name;
};
constexpr std::array<Package, 6> kPackages = {{
    {"qemu-system-x86_64", "qemu-system-x86"},
    {"mkfs.xfs", "xfsprogs"},
    {"mkfs.btrfs", "btrfs-progs"},
    {"mkfs.vfat", "dosfstools"},
    {"timeout", "coreutils"},
    {"mkfs.", "e2fsprogs"},
}};

}  // namespace

Result<WorkDirectory> WorkDirectory::create() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = fmt::format("{}/kdump-boot-test.XXXXXX", parent ? parent : "/var/tmp");
  if (::mkdtemp(path.data()) == nullptr) return fail_errno(errno, path);
  return WorkDirectory(std::move(path));
}

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<void> write_work_file(const std::string& path, std::string_view data) {
  KD_TRY(AtomicFile file, AtomicFile::create(path));
  KD_CHECK(file.write(data));
  return file.publish();
}

Result<std::string> find_program(const ProgramRunner& runner, const std::string& program) {
  if (std::optional<std::string> path = runner.find(program)) return *std::move(path);
  for (const Package& package : kPackages) {
    if (!program.starts_with(package.program)) continue;
    return fail(ErrorKind::kProgramMissing, "a boot in QEMU needs {}; apt install {}", program,
                package.name);
  }
  return fail(ErrorKind::kProgramMissing, "a boot in QEMU needs {}", program);
}

Result<std::string> first_initrd(const CrashFiles& files) {
  const std::vector<cpio::Entry> entries = {
      {.path = "init", .mode = S_IFREG | 0755, .data = files.crash_init},
      {.path = "proc", .mode = S_IFDIR | 0755, .data = {}},
      {.path = "vmlinuz", .mode = S_IFREG | 0600, .data = files.kernel},
      {.path = "kdump.img", .mode = S_IFREG | 0600, .data = files.image},
      {.path = "command_line", .mode = S_IFREG | 0600, .data = files.command_line}};
  return cpio::write_archive(entries, 0);
}

Result<MachineRun> run_machine(TestMachine& machine, const TimeLimits& limits,
                               ProgramRunner& runner) {
  KD_TRY(machine.qemu, find_program(runner, "qemu-system-x86_64"));
  KD_TRY(const std::string timeout, find_program(runner, "timeout"));
  for (;;) {
    std::vector<std::string> command = qemu_command(machine);
    const unsigned limit = machine.kvm ? limits.kvm : limits.emulated;
    command.insert(command.begin(), {timeout, "-s", "KILL", std::to_string(limit)});
    KD_TRY(ProgramOutcome ended, runner.run(command));
    // 0 after a restart of the machine, 137 when the time was over.
    if (ended.status == 0 || (ended.status == 137 && !machine.kvm)) {
      return MachineRun{std::move(ended.output), ended.status == 137};
    }
    // A KVM inside another virtual machine may offer less than QEMU asks of it, or never get on.
    if (!std::exchange(machine.kvm, false)) {
      return fail(ErrorKind::kFailed, "{} ended with {}: {}", machine.qemu, ended.status,
                  ended.output.substr(0, 400));
    }
  }
}

}  // namespace kd
