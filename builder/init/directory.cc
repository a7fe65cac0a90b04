// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/base/fd.h"

namespace kdinit {

int delete_contents(int directory, dev_t device, Ticker& ticker) {
  int first_error = 0;
  // Not dup(2), which would share the position with an earlier listing.
  DIR* const list = ::fdopendir(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const int list_error = for_each_entry(list, [&](const char* entry) {
    ticker.tick();
    if (::unlinkat(directory, entry, 0) == 0) return;
    int error = errno;
    if (error == EISDIR) error = delete_tree(directory, entry, device, ticker);
    if (error && !first_error) first_error = error;
  });
  return list_error ? list_error : first_error;
}

int delete_tree(int parent, const char* name, dev_t device, Ticker& ticker) {
  const kd::Fd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return errno;
  if (info.st_dev != device) return EXDEV;
  const int error = delete_contents(fd.get(), device, ticker);
  return ::unlinkat(parent, name, AT_REMOVEDIR) != 0 && !error ? errno : error;
}

}  // namespace kdinit
