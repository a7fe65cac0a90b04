// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/volume_key.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "builder/base/fd.h"

namespace kdinit {
namespace {

// The file is gone afterwards, and its bytes too: what runs later may show all files.
int take_from_image(std::string_view uuid) {
  Text<64> path;
  luks::put_key_path(uuid, path);
  const kd::Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid()) return errno;
  char key[256];  // the most that luks.h takes
  const ssize_t size = ::read(file.get(), key, sizeof key);
  Text<128> description;
  luks::put_key_description(uuid, description);
  // The keyring of this process: it goes with the process, and no child gets it.
  int error = size > 0 ? 0 : EIO;
  if (error == 0 && ::syscall(SYS_add_key, "logon", description.c_str(), key, size,
                              KEY_SPEC_PROCESS_KEYRING) < 0) {
    error = errno;
  }
  ::explicit_bzero(key, sizeof key);
  if (error != 0) return error;
  if (::pwrite(file.get(), key, static_cast<std::size_t>(size), 0) != size ||
      ::unlink(path.c_str()) != 0) {
    return EIO;
  }
  return 0;
}

// See kernel/crash_dump_dm_crypt.c: all keys come back into the keyring of root.
int restore_from_kernel() {
  constexpr const char* kConfigfs = "/sys/kernel/config";
  if (::mount("configfs", kConfigfs, "configfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0 &&
      errno != EBUSY) {
    return errno;
  }
  const kd::Fd file(::open("/sys/kernel/config/crash_dm_crypt_keys/restore", O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return errno;
  return ::write(file.get(), "1", 1) == 1 ? 0 : errno;
}

}  // namespace

int KernelVolumeKeys::provide(luks::KeySource source, std::string_view uuid) {
  if (source == luks::KeySource::kKernel) return restore_from_kernel();
  const int error = take_from_image(uuid);
  // It was taken before, or was never there, which dm-crypt will say.
  return error == ENOENT ? 0 : error;
}

}  // namespace kdinit
