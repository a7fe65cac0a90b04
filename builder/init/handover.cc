// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/handover.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/linux_system.h"
#include "builder/init/module_options.h"
#include "builder/init/storage/file_system.h"

namespace kdinit {
namespace {

constexpr std::string_view kStep = "root";
// Never a shell: nobody is there to type, and the machine would stay down.
constexpr std::array<std::string_view, 2> kInits = {"/sbin/init", "/lib/systemd/systemd"};
// systemd-sysctl(8) sorts all files by name; after 99-sysctl.conf, the link to /etc/sysctl.conf.
constexpr std::string_view kSysctlFile = "/zzz-kdump.conf";

class HandOver {
 public:
  HandOver(const InitConfig& config, const RootPlaces& places, RootSystem& system)
      : config_(config), places_(places), system_(system) {}
  void run();

 private:
  void load_modules();
  bool mount_root();
  bool check_init();
  // The real root sets its own values over those init has set, unless it finds ours in /run.
  void leave_sysctls();
  int write_sysctls();
  bool move_mounts();
  bool start_init();

  template <typename... Parts>
  bool fail(const Parts&... parts) {
    say(system_, kStep, "FAILED: ", parts...);
    return false;
  }

  const InitConfig& config_;
  const RootPlaces& places_;
  RootSystem& system_;
  bool has_run_ = false;
};

void HandOver::run() {
  load_modules();
  if (!mount_root() || !check_init()) return;
  leave_sysctls();
  if (move_mounts()) start_init();
}

void HandOver::load_modules() {
  for (const ModuleLine& module : config_.modules) {
    if (!module.for_root) continue;
    system_.tick();
    const int error = load_module(system_, module, places_.command_line);
    if (error) {
      say(system_, kStep, module.path, ": ", ::strerror(error), ", going on without it");
    }
  }
}

bool HandOver::mount_root() {
  Candidates devices;
  Text<200> error;
  char command_line[4096];
  const bool writable = asks_for_writable_root(
      read_file(Path(places_.command_line).c_str(), command_line, sizeof command_line));
  const MountUse use = writable ? MountUse::kWritableRoot : MountUse::kRoot;
  return (find_devices(config_.root, config_, kStep, system_, devices, error) &&
          mount_first(config_.root, devices, places_.mount_point, use, kStep, "root", system_,
                      error)) ||
         fail(error.view());
}

// Before anything is moved or deleted. Links are not followed: absolute ones lead into the image.
bool HandOver::check_init() {
  struct stat info {};
  for (const std::string_view init : kInits) {
    if (::lstat(Path(places_.mount_point, init).c_str(), &info) == 0) return true;
  }
  return fail("neither ", kInits[0], " nor ", kInits[1], " is on it");
}

void HandOver::leave_sysctls() {
  if (config_.sysctls.empty()) return;
  int error =
      system_.mount("tmpfs", Path(places_.run).c_str(), "tmpfs", "mode=0755", MountUse::kData);
  has_run_ = error == 0;
  if (!error) error = write_sysctls();
  if (error) say(system_, kStep, "no sysctls for the root: ", ::strerror(error), ", going on");
}

int HandOver::write_sysctls() {
  const Path directory(places_.run, "/sysctl.d");
  if (::mkdir(directory.c_str(), 0755) != 0) return errno;
  const kd::Fd fd(::open(Path(directory.view(), kSysctlFile).c_str(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return errno;
  for (const std::string_view setting : config_.sysctls) {
    // '-': a setting this kernel does not have is no error.
    const Text<kMaxValueBytes + 3> line("-", setting, "\n");
    if (::write(fd.get(), line.c_str(), line.view().size()) < 0) return errno;
  }
  return 0;
}

bool HandOver::move_mounts() {
  for (const std::string_view from : {std::string_view("/dev"), std::string_view("/proc"),
                                      std::string_view("/sys"), places_.run}) {
    if (from == places_.run && !has_run_) continue;
    const Path to(places_.mount_point, from == places_.run ? "/run" : from);
    if (const int error = system_.move_mount(Path(from).c_str(), to.c_str())) {
      return fail("cannot move ", from, " into it: ", ::strerror(error));
    }
  }
  return true;
}

bool HandOver::start_init() {
  // Inherited by everything the real root starts, and then nothing could be killed.
  system_.write_sysctl(Path(places_.mount_point, "/proc/self/oom_score_adj").c_str(), "0");
  say(system_, kStep, "handing over to it");
  if (const int error = system_.switch_root(Path(places_.mount_point).c_str())) {
    return fail("cannot switch to it: ", ::strerror(error));
  }
  for (const std::string_view init : kInits) {
    const int error = system_.run_init(Path(init).c_str());
    if (error == 0) return true;
    fail("cannot run ", init, ": ", ::strerror(error));
  }
  return false;
}

bool same(const FileSystem& a, const FileSystem& b) {
  return a.uuid == b.uuid && a.options == b.options;
}

}  // namespace

bool asks_for_writable_root(std::string_view command_line) {
  bool writable = false;
  while (!command_line.empty()) {
    const std::string_view word = command_line.substr(0, command_line.find_first_of(" \t\n"));
    if (word == "rw" || word == "ro") writable = word == "rw";
    command_line.remove_prefix(word.size() < command_line.size() ? word.size() + 1 : word.size());
  }
  return writable;
}

bool root_is_wanted(const InitConfig& config, const Report& report, System& system) {
  if (config.capture == CaptureMode::kRootfs) return true;
  const bool nothing_to_save = report.failed_step() == "vmcore";
  if (report.result != Result::kFailed || nothing_to_save) return false;
  if (config.root.uuid.empty()) {
    say(system, kStep, "the image knows no root file system that could try again");
    return false;
  }
  const bool usable = report.target_mounted && !report.target_stalled;
  if (!usable && same(config.root, config.target)) {
    say(system, kStep, "the root is the target that ",
        report.target_stalled ? "does not answer" : "could not be mounted",
        ", it cannot try again");
    return false;
  }
  say(system, kStep, "nothing was saved, the root file system tries again");
  return true;
}

void hand_over(const InitConfig& config, const RootPlaces& places, RootSystem& system) {
  HandOver(config, places, system).run();
}

}  // namespace kdinit
