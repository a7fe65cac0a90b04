// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/array_driver.h"

#include <fcntl.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/text.h"

namespace kdinit {
namespace {

constexpr std::string_view kParameters = "/sys/module/md_mod/parameters/";

int write_file(const Path& path, std::string_view text) {
  const kd::Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return ::write(fd.get(), text.data(), text.size()) < 0 ? errno : 0;
}

int call(int array, unsigned long request, void* argument) {
  return ::ioctl(array, request, argument) == 0 ? 0 : errno;
}

// As mdadm does it (Assemble.c): without a number of disks the first call tells no more than where
// the superblocks are.
int run(int array, md::Version version, std::span<const DeviceNumber> members) {
  mdu_array_info_t info{};
  const bool old = version == md::Version::k0_90;
  info.major_version = old ? 0 : 1;
  info.minor_version = old ? 90 : static_cast<int>(version) - static_cast<int>(md::Version::k1_0);
  int error = call(array, SET_ARRAY_INFO, &info);
  for (const DeviceNumber& member : members) {
    mdu_disk_info_t disk{};
    disk.major = static_cast<int>(member.major);
    disk.minor = static_cast<int>(member.minor);
    if (error == 0) error = call(array, ADD_NEW_DISK, &disk);
  }
  return error == 0 ? call(array, RUN_ARRAY, nullptr) : error;
}

}  // namespace

int KernelArrayDriver::start(std::string_view name, md::Version version,
                             std::span<const DeviceNumber> members) {
  // Read-only until the first write, so that there is a moment before a resync.
  if (const int error = write_file(Path(kParameters, "start_ro"), "1")) return error;
  // There is one already where an array could not be started before.
  const int created = write_file(Path(kParameters, "new_array"), name);
  if (created != 0 && created != EEXIST) return created;
  const kd::Fd array(::open(Path("/dev/", name).c_str(), O_RDWR | O_CLOEXEC));
  if (!array.valid()) return errno;
  if (const int error = run(array.get(), version, members)) {
    ::ioctl(array.get(), STOP_ARRAY, nullptr);
    return error;
  }
  // Not before it runs: members of a frozen array do not become in sync. A resync, which levels
  // without redundancy do not have, would take 2 MiB and the bandwidth of the dump; the next boot
  // does it. One that runs all the same is no reason to save nothing.
  write_file(Path("/sys/class/block/", name, "/md/sync_action"), "frozen");
  return 0;
}

}  // namespace kdinit
