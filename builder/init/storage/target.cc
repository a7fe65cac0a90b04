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
#include "builder/init/storage/container.h"
#include "builder/init/storage/superblock.h"
#include "builder/init/storage/sysfs.h"

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

void add_candidate(std::string_view dev, std::string_view name, bool partitioned,
                   std::uint64_t member, Candidates& found) {
  if (found.count == std::size(found.items)) return;
  std::size_t place = found.count++;
  if (!partitioned) {  // goes before the disks with partitions
    while (place > 0 && found.items[place - 1].has_partitions) {
      Candidate& moved = found.items[place];
      moved.device.clear();
      moved.device.put(found.items[place - 1].device.view());
      moved.has_partitions = true;
      moved.member = found.items[place - 1].member;
      --place;
    }
  }
  found.items[place].device.clear();
  put_device_path(dev, name, found.items[place].device);
  found.items[place].has_partitions = partitioned;
  found.items[place].member = member;
}

// True when each member is there and none twice: the kernel would take one of two for both.
bool is_complete(Candidates& found) {
  if (found.members < 2) return found.count > 0;
  for (std::size_t i = 0; i < found.count; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Candidate &one = found.items[j], &other = found.items[i];
      if (one.member != other.member) continue;
      found.problems.put(found.problems.view().empty() ? "" : "; ", one.device.view(), " and ",
                         other.device.view(), " claim to be the same member of the btrfs");
      found.count = 0;
      return false;
    }
  }
  found.missing = found.members - std::min<std::uint64_t>(found.members, found.count);
  return found.missing == 0;
}

// Looks at one device, and adds it when it has the file system.
void look_at(const char* name, const TargetQuery& query, const DeviceDirectories& directories,
             Assembly& assembly, Candidates& found) {
  const Path directory(directories.sys_block, "/", name);
  if (is_zero_sized(directory.view())) return;
  const Holders holders = holders_of(directory.view());
  if (holders == Holders::kOthers) return;
  Path path;
  put_device_path(directories.dev, name, path);
  const bool held = holders != Holders::kNone;
  if (!held) found.seen.put(found.seen.view().empty() ? "" : ", ", name, ' ');
  const kd::Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    if (!held) found.seen.put('(', ::strerror(errno), ')');
    return;
  }
  FileReader reader(fd.get());
  Text<24> number;
  read_line(Path(directory.view(), "/dev"), number);
  const SeenDevice device{.path = path.view(),
                          .number = number.view(),
                          .directory = directory.view(),
                          .container = container_on(reader)};
  std::string_view member = assembly.add(device, reader);
  if (member.empty()) member = device.container;
  if (held) return;
  if (!member.empty()) {
    found.seen.put(member);
    return;
  }
  DevicePieces pieces;
  if (!read_pieces(fd.get(), pieces)) {
    found.seen.put('(', ::strerror(errno), ')');
    return;
  }
  Superblock superblock;
  if (!identify(pieces, query.type, superblock)) {
    found.seen.put('-');
    return;
  }
  found.seen.put(superblock.type, ' ', superblock.uuid.view());
  if (!same_family(superblock.type, query.type) || superblock.uuid.view() != query.uuid) return;
  add_candidate(directories.dev, name, has_partitions(directory.view()), superblock.member, found);
  found.members = std::max(found.members, superblock.members);
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

bool scan_devices(const TargetQuery& query, const DeviceDirectories& directories, bool patient,
                  Assembly& assembly, Candidates& found, Ticker& ticker) {
  do {
    found.count = 0;
    found.members = found.missing = 0;
    found.seen.clear();
    found.problems.clear();
    assembly.begin(query.layers);
    for_each_entry(Path(directories.sys_block).c_str(), [&](const char* name) {
      ticker.tick();  // a slow disk for each, as a rack of them that spins up, is no hang
      look_at(name, query, directories, assembly, found);
    });
  } while (assembly.make(directories, patient, found.made, found.problems) > 0);
  return is_complete(found);
}

bool wait_for_target(const TargetQuery& query, Assembly& assembly, Candidates& found,
                     Ticker& ticker) {
  const kd::Fd uevents = open_uevents();  // before the first scan, so that nothing is missed
  const std::uint64_t half = query.timeout * std::uint64_t{1000} / 2;
  const std::uint64_t end = boot_time_ms() + 2 * half;
  std::uint64_t next_scan = 0;
  for (;;) {
    const std::uint64_t now = boot_time_ms();
    bool complete = false;
    if (block_device_changed(uevents.get()) || now >= next_scan) {
      next_scan = now + kRescanMs;
      complete = scan_devices(query, {}, now + half < end, assembly, found, ticker);
    }
    if (complete || (now >= end && found.missing > 0)) {
      if (query.type == "btrfs") register_btrfs(found);
      return true;
    }
    if (now >= end) return false;
    ticker.tick();
    pollfd wait{.fd = uevents.get(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, kPollMs);
  }
}

}  // namespace kdinit
