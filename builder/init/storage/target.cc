// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/target.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/directory.h"
#include "builder/init/storage/superblock.h"

namespace kdinit {
namespace {

// The kernel announces devices before they can be read (spin-up, a slow path), without another
// uevent later.
constexpr std::uint64_t kRescanMs = 2000;
constexpr int kPollMs = 100;

bool read_pieces(int fd, DevicePieces& pieces) {
  const auto head = ::pread(fd, pieces.head.data(), pieces.head.size(), 0);
  if (head < 0) return false;
  // A device that ends earlier leaves zeros, in which nothing is found.
  [[maybe_unused]] const auto deep =
      ::pread(fd, pieces.deep.data(), pieces.deep.size(), DevicePieces::kDeepOffset);
  return true;
}

bool is_zero_sized(std::string_view directory) {
  const kd::Fd fd(::open(Path(directory, "/size").c_str(), O_RDONLY | O_CLOEXEC));
  char digit = '0';
  return ::read(fd.get(), &digit, 1) == 1 && digit == '0';
}

bool has_holders(std::string_view directory) {
  bool any = false;
  for_each_entry(Path(directory, "/holders").c_str(), [&any](const char*) { any = true; });
  return any;
}

// A partition of sda is a directory sda/sda1 with a file "partition" in it.
bool has_partitions(std::string_view directory) {
  bool any = false;
  for_each_entry(Path(directory).c_str(), [&](const char* name) {
    if (::access(Path(directory, "/", name, "/partition").c_str(), F_OK) == 0) any = true;
  });
  return any;
}

// "cciss!c0d0" is /dev/cciss/c0d0.
void put_device_path(std::string_view dev, std::string_view name, TextBuffer& out) {
  out.put(dev, '/');
  for (char c : name) out.put(c == '!' ? '/' : c);
}

void add_candidate(std::string_view dev, std::string_view name, bool partitioned,
                   Candidates& found) {
  if (found.count == std::size(found.items)) return;
  std::size_t place = found.count++;
  if (!partitioned) {  // goes before the disks with partitions
    while (place > 0 && found.items[place - 1].has_partitions) {
      Candidate& moved = found.items[place];
      moved.device.clear();
      moved.device.put(found.items[place - 1].device.view());
      moved.has_partitions = true;
      --place;
    }
  }
  found.items[place].device.clear();
  put_device_path(dev, name, found.items[place].device);
  found.items[place].has_partitions = partitioned;
}

// Looks at one device; returns the number of members its file system has, 0 when it is another.
std::uint64_t look_at(const char* name, const TargetQuery& query,
                      const DeviceDirectories& directories, Candidates& found) {
  const Path directory(directories.sys_block, "/", name);
  if (is_zero_sized(directory.view()) || has_holders(directory.view())) return 0;
  Path path;
  put_device_path(directories.dev, name, path);
  found.seen.put(found.seen.view().empty() ? "" : ", ", name, ' ');
  const kd::Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  DevicePieces pieces;
  if (!fd.valid() || !read_pieces(fd.get(), pieces)) {
    found.seen.put('(', ::strerror(errno), ')');
    return 0;
  }
  Superblock superblock;
  if (!identify(pieces, query.type, superblock)) {
    found.seen.put('-');
    return 0;
  }
  found.seen.put(superblock.type, ' ', superblock.uuid.view());
  if (!same_family(superblock.type, query.type) || superblock.uuid.view() != query.uuid) return 0;
  add_candidate(directories.dev, name, has_partitions(directory.view()), found);
  return superblock.members;
}

kd::Fd open_uevents() {
  kd::Fd fd(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;  // messages of the kernel itself
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fd.reset();
  }
  return fd;
}

// Empties the queue; true when a block device was among the messages, or messages were lost.
bool block_device_changed(int fd) {
  char message[2048];
  bool changed = false;
  for (;;) {
    const auto size = ::recv(fd, message, sizeof message, 0);
    if (size < 0) return changed || errno == ENOBUFS;
    const std::string_view text(message, static_cast<std::size_t>(size));
    if (text.find("SUBSYSTEM=block") != std::string_view::npos) changed = true;
  }
}

// btrfs finds the other members of a file system only among devices it was told of.
void register_btrfs(const Candidates& found) {
  struct Volume {  // struct btrfs_ioctl_vol_args
    std::int64_t fd;
    char name[4088];
  };
  const kd::Fd control(::open("/dev/btrfs-control", O_RDWR | O_CLOEXEC));
  for (std::size_t i = 0; i < found.count; ++i) {
    Volume volume{};
    const std::string_view device = found.items[i].device.view();
    std::copy(device.begin(), device.end(), volume.name);
    ::ioctl(control.get(), _IOW(0x94, 4, Volume), &volume);  // BTRFS_IOC_SCAN_DEV
  }
}

}  // namespace

bool scan_devices(const TargetQuery& query, const DeviceDirectories& directories, Candidates& found,
                  Ticker& ticker) {
  found.count = 0;
  found.seen.clear();
  std::uint64_t members = 0;
  for_each_entry(Path(directories.sys_block).c_str(), [&](const char* name) {
    ticker.tick();  // a slow disk for each, as a rack of them that spins up, is no hang
    members = std::max(members, look_at(name, query, directories, found));
  });
  return found.count > 0 && found.count >= std::min<std::uint64_t>(members, std::size(found.items));
}

bool wait_for_target(const TargetQuery& query, Candidates& found, Ticker& ticker) {
  const kd::Fd uevents = open_uevents();  // before the first scan, so that nothing is missed
  const std::uint64_t end = boot_time_ms() + query.timeout * std::uint64_t{1000};
  std::uint64_t next_scan = 0;
  for (;;) {
    const std::uint64_t now = boot_time_ms();
    if (block_device_changed(uevents.get()) || now >= next_scan) {
      next_scan = now + kRescanMs;
      if (scan_devices(query, {}, found, ticker)) {
        if (query.type == "btrfs") register_btrfs(found);
        return true;
      }
    }
    if (now >= end) return false;
    ticker.tick();
    pollfd wait{.fd = uevents.get(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, kPollMs);
  }
}

}  // namespace kdinit
