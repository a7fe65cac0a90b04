// SPDX-License-Identifier: GPL-2.0-or-later
//
// PID 1 of the capture kernel.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "builder/init/capture.h"
#include "builder/init/guard.h"
#include "builder/init/handover.h"
#include "builder/init/linux_system.h"

using kdinit::say;

// What headers want of the libstdc++ that is not there. The end of init makes the kernel panic,
// and that restarts the machine.
extern "C" [[noreturn]] void __cxa_pure_virtual() { ::abort(); }
namespace std {
void __throw_out_of_range_fmt(const char*, ...) { ::abort(); }
}  // namespace std

namespace {

constexpr std::uint32_t kLastSyncSeconds = 60;
constinit kdinit::LinuxSystem machine;
constinit char config_text[kdinit::kMaxConfigBytes + 1];

void mount_kernel_file_systems() {
  struct Mount {
    const char* type;
    const char* directory;
  };
  constexpr Mount kMounts[] = {{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}};
  for (const Mount& entry : kMounts) {
    ::mkdir(entry.directory, 0755);
    ::mount(entry.type, entry.directory, entry.type, MS_NOSUID | MS_NOEXEC, nullptr);
  }
  ::mkdir("/tmp", 0700);
}

// The image need not hold /dev/console, and without it the kernel starts init with nothing open.
// No console at all: /dev/kmsg still reaches the log and what is attached to it.
void open_console() {
  // O_NONBLOCK, for makedumpfile as well: nobody may read it, and then no write comes back.
  int fd = ::open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) fd = ::open("/dev/kmsg", O_WRONLY);
  if (fd < 0) return;
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fd != standard) ::dup2(fd, standard);
  }
  if (fd > STDERR_FILENO) ::close(fd);
}

void protect_init() {
  machine.write_sysctl("/proc/self/oom_score_adj", "-1000");
  // A crash in this kernel, and the end of init itself, restart the machine.
  machine.write_sysctl("/proc/sys/kernel/panic", "10");
  // After memory came in small pieces the kernel would keep 2 MiB more free for a while.
  machine.write_sysctl("/proc/sys/vm/watermark_boost_factor", "0");
  // run_child() waits for it; without a handler nothing else comes to PID 1.
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_ended, nullptr);
}

void print_banner(const utsname& kernel, kdinit::Report& report) {
  static char buffer[16 * 1024];
  report.ram_bytes =
      kdinit::parse_iomem_ram(kdinit::read_file("/proc/iomem", buffer, sizeof buffer));
  say(machine, "start", "kdump-init " KD_VERSION ", kernel ", kernel.release, ", ",
      machine.memory().total / 1024, " MiB of memory, ", machine.memory().free / 1024,
      " MiB free, memory map ", report.ram_bytes >> 20, " MiB");
  const std::string_view command_line = kdinit::read_file("/proc/cmdline", buffer, sizeof buffer);
  report.profile = kdinit::profile_of(command_line);
  const std::size_t at = command_line.find("elfcorehdr=");
  if (at == std::string_view::npos) return;
  const std::string_view header = command_line.substr(at);
  say(machine, "start", header.substr(0, header.find_first_of(" \n")));
}

bool read_config(const utsname& kernel, kdinit::InitConfig& config) {
  const kdinit::Path path(kdinit::kConfigPath);
  const std::string_view text = kdinit::read_file(path.c_str(), config_text, sizeof config_text);
  const kdinit::ParseError error = kdinit::parse(text, config);
  if (error.line != 0) {
    say(machine, "config", "FAILED: ", path.view(), " line ", error.line, ": ", error.message);
    return false;
  }
  if (config.kernel != kernel.release) {
    say(machine, "config", "WARNING: the image was built for kernel ", config.kernel,
        ", its modules may not load");
  }
  return true;
}

// Of a boot test, which reads the console and not the disk: the kernel passes kdump_report=console
// of its command line on, because it does not know it.
void print_report(const kdinit::Report& report) {
  kdinit::Text<kdinit::kMaxReportBytes> text;
  kdinit::put_report(report, text);
  machine.print(text.view());
}

std::string_view name_of(kdinit::FinalAction action) {
  switch (action) {
    case kdinit::FinalAction::kHalt:
      return "halt";
    case kdinit::FinalAction::kPoweroff:
      return "power off";
    case kdinit::FinalAction::kReboot:
      break;
  }
  return "reboot";
}

}  // namespace

int main() {
  if (::getpid() != 1) {
    constexpr std::string_view kMessage =
        "kdump-init is the init of a kdump image and runs as process 1 only\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
    return 2;
  }
  mount_kernel_file_systems();
  open_console();
  protect_init();
  kdinit::InitConfig config;  // 20 KB, and not zero: it would lie in the file as a global
  const int guard_error = machine.start_guard(  // before the first line
      config.stall_timeout, {.watchdog = "/dev/watchdog"});

  utsname kernel{};
  ::uname(&kernel);
  kdinit::Report report;
  report.kernel = kernel.release;
  print_banner(kernel, report);
  kdinit::FinalAction action = kdinit::FinalAction::kReboot;
  if (guard_error) say(machine, "start", "no guard against a hang: ", ::strerror(guard_error));
  if (read_config(kernel, config)) {
    machine.set_stall_timeout(config.stall_timeout);
    kdinit::run_capture(config, machine, {}, report);
    if (std::getenv("kdump_report") != nullptr) print_report(report);
    if (kdinit::root_is_wanted(config, report, machine)) kdinit::hand_over(config, {}, machine);
    action = action_after(config, report.result);
  }
  say(machine, "end", name_of(action));
  // Perhaps it was not the disk that did not answer; if it was, the guard ends this.
  if (report.target_stalled && config.stall_timeout > 0) {
    machine.set_stall_timeout(std::min(config.stall_timeout, kLastSyncSeconds));
  }
  ::sync();
  machine.end(action);
}
