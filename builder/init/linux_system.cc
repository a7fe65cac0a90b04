// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/linux_system.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/directory.h"
#include "builder/init/packed_file.h"

namespace kdinit {
namespace {

// Controllers write their caches back before a restart, but no longer than this.
constexpr std::uint32_t kMaxRestartSeconds = 120;

}  // namespace

std::string_view read_file(const char* path, char* buffer, std::size_t capacity) {
  const kd::Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  std::size_t size = 0;
  // Files of proc come in pieces of at most a page.
  for (ssize_t got;
       size < capacity && (got = ::read(fd.get(), buffer + size, capacity - size)) > 0;) {
    size += static_cast<std::size_t>(got);
  }
  return {buffer, size};
}

void LinuxSystem::tick() {
  guard_.touch();
  memory();
}

std::uint64_t LinuxSystem::now_ms() { return boot_time_ms(); }

std::time_t LinuxSystem::wall_clock() { return ::time(nullptr); }

Memory LinuxSystem::memory() {
  char text[256];  // MemTotal, MemFree and MemAvailable are the first three lines
  const Memory now = parse_meminfo(read_file("/proc/meminfo", text, sizeof text));
  lowest_ = lowest_.total == 0 ? now : lowest(lowest_, now);
  return now;
}

Memory LinuxSystem::take_lowest_memory() {
  const Memory taken = lowest_;
  lowest_ = {};
  memory();
  return taken.total == 0 ? lowest_ : taken;
}

void LinuxSystem::print(std::string_view text) {
  guard_.touch();
  console_.print(text);
}

void LinuxSystem::end(FinalAction action) {
  if (action != FinalAction::kReboot) {
    guard_.stop();  // a machine that hangs on its way to a halt is to stay down
  } else {
    guard_.set_timeout(kMaxRestartSeconds);
    guard_.touch();
  }
  end_machine(action);
}

int LinuxSystem::write_sysctl(const char* path, std::string_view value) {
  const kd::Fd fd(::open(path, O_WRONLY | O_CLOEXEC));
  return fd.valid() && ::write(fd.get(), value.data(), value.size()) >= 0 ? 0 : errno;
}

int LinuxSystem::load_module(const char* path, const char* options) {
  const kd::Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  const bool packed = std::string_view(path).ends_with(kPackedSuffix);
  long result =
      ::syscall(SYS_finit_module, fd.get(), options, packed ? MODULE_INIT_COMPRESSED_FILE : 0);
  // Unpacked by the kernel a module is in memory once less. One without CONFIG_MODULE_DECOMPRESS
  // says EOPNOTSUPP, one before 5.17 EINVAL.
  if (result != 0 && packed && (errno == EOPNOTSUPP || errno == EINVAL)) {
    Pages module;
    if (const int error = unpack_to_memory(path, module)) return error;
    result = ::syscall(SYS_init_module, module.data(), module.size(), options);
  }
  if (result != 0 && errno != EEXIST) return errno;
  ::unlink(path);
  return 0;
}

int LinuxSystem::unpack(const char* path) { return unpack_file(path); }

bool LinuxSystem::wait_for_target(const TargetQuery& query, Candidates& found) {
  return kdinit::wait_for_target(query, kernel_assembly(), found, *this);
}

int LinuxSystem::mount(const char* device, const char* directory, const char* type,
                       const char* options, MountUse use) {
  if (::mkdir(directory, 0755) != 0 && errno != EEXIST) return errno;
  const unsigned long flags = use == MountUse::kRoot ? MS_RDONLY
                              : use == MountUse::kWritableRoot
                                  ? 0
                                  : MS_NOATIME | MS_NODEV | MS_NOSUID | MS_NOEXEC;
  if (::mount(device, directory, type, flags, options) != 0) return errno;
  if (use == MountUse::kData) TextBuffer(data_device_.data(), data_device_.size()).put(device);
  return 0;
}

std::uint64_t LinuxSystem::room() { return kernel_assembly().room(data_device_.data()); }

int LinuxSystem::unmount(const char* directory) {
  if (::umount2(directory, 0) == 0) return 0;
  const int error = errno;
  // A makedumpfile that cannot be killed keeps it busy; sync writes what can be written.
  ::umount2(directory, MNT_DETACH);
  ::sync();
  return error;
}

ChildResult LinuxSystem::run(const Command& command) { return run_child(command, *this); }

int LinuxSystem::free_bytes(const char* directory, std::uint64_t& bytes) {
  struct statvfs info {};
  if (::statvfs(directory, &info) != 0) return errno;
  bytes = std::uint64_t{info.f_bfree} * info.f_frsize;  // root may use the reserved blocks
  return 0;
}

bool LinuxSystem::is_full(const char* file) {
  // More than makedumpfile's largest write, which failed as a whole or in part.
  constexpr int kBlocks = 1024;
  static constinit char block[4096];
  const kd::Fd fd(::open(file, O_WRONLY | O_CLOEXEC));
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  bool full = false;
  for (int i = 0; i < kBlocks && !full; ++i) {
    if (::write(fd.get(), block, sizeof block) >= 0) continue;
    full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;  // vfat: 4 GiB
    break;
  }
  // Zeros that stay behind the end of a dump do no harm.
  [[maybe_unused]] const int ignored = ::ftruncate(fd.get(), end);
  return full;
}

int LinuxSystem::move_mount(const char* from, const char* to) {
  return ::mount(from, to, nullptr, MS_MOVE, nullptr) == 0 ? 0 : errno;
}

int LinuxSystem::switch_root(const char* directory) {
  const kd::Fd old_root(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!old_root.valid() || ::chdir(directory) != 0) return errno;
  if (const int error = move_mount(".", "/")) return error;
  if (::chroot(".") != 0 || ::chdir("/") != 0) return errno;
  // Nothing but the memory of the image is ever deleted, wherever this runs.
  struct statfs kind {};
  struct stat info {};
  if (::fstatfs(old_root.get(), &kind) != 0 || ::fstat(old_root.get(), &info) != 0) return 0;
  if (kind.f_type == RAMFS_MAGIC || kind.f_type == TMPFS_MAGIC) {
    delete_contents(old_root.get(), info.st_dev, *this);
  }
  return 0;
}

int LinuxSystem::run_init(const char* path) {
  guard_.stop();
  // Shared with whatever the real root starts, which expects a console that it can wait for.
  ::fcntl(STDERR_FILENO, F_SETFL, O_RDWR);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const char* const arguments[] = {path, nullptr};
  // What the kernel gives to init; ours has a TZ by now.
  const char* const environment[] = {"HOME=/", "TERM=linux", nullptr};
  ::execve(path, const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
  return errno;
}

}  // namespace kdinit
