// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/sysfs.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "builder/base/fd.h"
#include "builder/init/directory.h"

namespace kdinit {

void read_line(const Path& path, TextBuffer& line) {
  const kd::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char bytes[256];
  const auto size = ::read(fd.get(), bytes, sizeof bytes);
  for (ssize_t i = 0; i < size && bytes[i] != '\n'; ++i) line.put(bytes[i]);
}

std::uint64_t read_number(const Path& path) {
  Text<32> line;
  read_line(path, line);
  std::uint64_t number = 0;
  std::from_chars(line.view().data(), line.view().data() + line.view().size(), number);
  return number;
}

void put_device_path(std::string_view dev, std::string_view name, TextBuffer& out) {
  out.put(dev, '/');
  for (char c : name) out.put(c == '!' ? '/' : c);
}

bool is_zero_sized(std::string_view directory) {
  Text<32> size;
  read_line(Path(directory, "/size"), size);
  return size.view() == "0";
}

// A partition of sda is a directory sda/sda1 with a file "partition" in it.
bool has_partitions(std::string_view directory) {
  bool any = false;
  for_each_entry(Path(directory).c_str(), [&](const char* name) {
    if (::access(Path(directory, "/", name, "/partition").c_str(), F_OK) == 0) any = true;
  });
  return any;
}

// /sys/class/block/sda1 is a link to ".../block/sda/sda1".
void put_disk_of(std::string_view directory, TextBuffer& name) {
  if (::access(Path(directory, "/partition").c_str(), F_OK) != 0) return;
  char target[1024];
  const auto size = ::readlink(Path(directory).c_str(), target, sizeof target);
  std::string_view path(target, size > 0 ? static_cast<std::size_t>(size) : 0);
  path = path.substr(0, std::min(path.rfind('/'), path.size()));
  if (!path.empty()) name.put(path.substr(path.rfind('/') + 1));
}

bool is_in_partition(std::string_view directory, std::uint64_t sector) {
  bool any = false;
  for_each_entry(Path(directory).c_str(), [&](const char* name) {
    if (::access(Path(directory, "/", name, "/partition").c_str(), F_OK) != 0) return;
    const std::uint64_t start = read_number(Path(directory, "/", name, "/start"));
    any = any ||
          (sector >= start && sector - start < read_number(Path(directory, "/", name, "/size")));
  });
  return any;
}

Holders holders_of(std::string_view directory) {
  constexpr std::string_view kLvm = "LVM-";
  constexpr std::size_t kGroup = kLvm.size() + 32;
  Text<DM_UUID_LEN> own;
  read_line(Path(directory, "/dm/uuid"), own);
  Holders holders = Holders::kNone;
  for_each_entry(Path(directory, "/holders").c_str(), [&](const char* name) {
    Text<DM_UUID_LEN> uuid;
    read_line(Path(directory, "/holders/", name, "/dm/uuid"), uuid);
    const bool same_group = uuid.view().substr(0, kGroup) == own.view().substr(0, kGroup);
    if (!uuid.view().starts_with(kLvm) || same_group) holders = Holders::kOthers;
    if (holders == Holders::kNone) holders = Holders::kVolumes;
  });
  return holders;
}

bool lies_on(const DeviceDirectories& directories, std::string_view name, std::string_view number) {
  bool any = false;
  for_each_entry(Path(directories.sys_block, "/", name, "/slaves").c_str(), [&](const char* below) {
    Text<24> found;
    read_line(Path(directories.sys_block, "/", below, "/dev"), found);
    any = any || found.view() == number || lies_on(directories, below, number);
  });
  return any;
}

bool has_mapped_device(const DeviceDirectories& directories, std::string_view wanted) {
  bool any = false;
  for_each_dm_uuid(directories, [&](std::string_view uuid) { any = any || uuid == wanted; });
  return any;
}

}  // namespace kdinit
