// SPDX-License-Identifier: GPL-2.0-or-later
//
// Process 1 of the first kernel of a boot test: loads the capture kernel and panics.
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace {

// Its one argument line has the limit of the kernel's.
char command_line[2048];

[[noreturn]] void end() {
  ::sync();
  ::reboot(RB_AUTOBOOT);  // QEMU runs with -no-reboot
  for (;;) ::pause();
}

[[noreturn]] void fail(const char* what) {
  ::printf("boot-test: failed: %s: %s\n", what, ::strerror(errno));
  ::fflush(stdout);
  end();
}

int open_file(const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

}  // namespace

int main() {
  if (::getpid() != 1) return 2;
  if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) fail("mount /proc");
  const ssize_t size =
      ::read(open_file("/command_line", O_RDONLY), command_line, sizeof command_line - 1);
  if (size < 0) fail("/command_line");
  const int kernel = open_file("/vmlinuz", O_RDONLY), image = open_file("/kdump.img", O_RDONLY);
  if (::syscall(SYS_kexec_file_load, kernel, image, static_cast<unsigned long>(size) + 1,
                command_line, static_cast<unsigned long>(KEXEC_FILE_ON_CRASH)) != 0) {
    fail("kexec_file_load");
  }
  const int trigger = open_file("/proc/sysrq-trigger", O_WRONLY);
  ::printf("boot-test: panics now\n");
  ::fflush(stdout);
  if (::write(trigger, "c", 1) != 1) fail("sysrq c");
  fail("the kernel did not panic");
}
