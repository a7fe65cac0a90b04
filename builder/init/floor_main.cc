// SPDX-License-Identifier: GPL-2.0-or-later
//
// Process 1 of a capture kernel whose floor is looked for: says what memory is left and restarts.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <string_view>

#include "builder/init/memory.h"

namespace {

// A QEMU machine's /proc/iomem has 2 KiB.
char text[16 << 10];

std::string_view read_text(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  std::size_t size = 0;
  while (fd >= 0 && size < sizeof text) {
    const ssize_t got = ::read(fd, text + size, sizeof text - size);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (fd >= 0) ::close(fd);
  return {text, size};
}

}  // namespace

int main() {
  if (::getpid() != 1) return 2;
  ::mount("proc", "/proc", "proc", 0, nullptr);
  // In this order: a figure read late has less of what init itself takes.
  const kdinit::Memory memory = kdinit::parse_meminfo(read_text("/proc/meminfo"));
  const unsigned long long map = kdinit::parse_iomem_ram(read_text("/proc/iomem")) / 1024;
  // The same names as in kdump-report.json.
  ::printf("floor: map_kib=%llu start_free_kib=%llu start_cached_kib=%llu\n", map,
           static_cast<unsigned long long>(memory.free),
           static_cast<unsigned long long>(memory.cached));
  ::fflush(stdout);
  ::reboot(RB_AUTOBOOT);  // QEMU runs with -no-reboot
  for (;;) ::pause();
}
