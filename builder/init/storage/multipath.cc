// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/multipath.h"

#include <string.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kdinit {
namespace {

constexpr std::string_view kUuidPrefix = "mpath-";

bool copy(std::string_view text, std::span<char> place) {
  if (text.size() >= place.size()) return false;
  text.copy(place.data(), text.size());
  place[text.size()] = '\0';
  return true;
}

// By what the array says of the path (drivers/scsi/scsi_lib.c, scsi_access_state_name()); an array
// that says nothing is as good by each.
std::uint32_t rank_of(std::string_view access_state) {
  if (access_state.empty() || access_state == "active/optimized") return 0;
  if (access_state == "active/non-optimized") return 1;
  return access_state == "transitioning" ? 2 : 3;
}

// Of the places where file systems, partition tables and the first partition have what differs
// between a disk and a copy that has lived on. False when the device cannot be read.
bool read_content(BlockReader& reader, std::uint64_t& content) {
  constexpr std::uint64_t kKiB = 1024;
  char bytes[4 * kKiB];
  content = multipath::digest({});
  for (const std::uint64_t offset : {0 * kKiB, 64 * kKiB, 1024 * kKiB, (1024 + 64) * kKiB}) {
    if (offset + sizeof bytes > reader.size()) continue;
    if (reader.read(offset, bytes, sizeof bytes) != 0) return false;
    content = multipath::digest({bytes, sizeof bytes}, content);
  }
  return true;
}

void copy_name(std::string_view wwid, std::span<char> place) {
  Text<DM_NAME_LEN> name;
  if (!multipath::put_name(wwid, name) || !copy(name.view(), place)) place.front() = '\0';
}

}  // namespace

void Multipath::begin(std::span<const Layer> layers) {
  layers_ = layers;
  memory_.path_count = 0;
  memory_.partitions.count = 0;
  memory_.disks.count = 0;
  memory_.too_many = false;
}

bool Multipath::is_wanted(std::uint64_t digest, std::uint64_t partition) const {
  return std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
    multipath::Line line;
    return layer.kind == LayerKind::kMultipath && multipath::parse(layer, line) &&
           line.digest == digest && line.partition == partition;
  });
}

std::string_view Multipath::add(const SeenDevice& device, BlockReader& reader) {
  Text<DM_UUID_LEN> uuid;
  Text<256> wwid;
  read_line(Path(device.directory, "/dm/uuid"), uuid);
  if (uuid.view().starts_with(kUuidPrefix)) {
    MultipathMemory::Disk disk;
    multipath::put_wwid(uuid.view().substr(kUuidPrefix.size()), wwid);
    disk.digest = multipath::digest(wwid.view());
    copy(device.number, disk.number);
    memory_.disks.push(disk);
    return {};
  }
  // The partitions of a path are those of the disk as well.
  const std::uint64_t number = read_number(Path(device.directory, "/partition"));
  read_line(Path(device.directory, number > 0 ? "/../device/wwid" : "/device/wwid"), wwid);
  const std::uint64_t digest = multipath::digest(wwid.view());
  if (wwid.view().empty() || !is_wanted(digest, 0)) return {};
  if (number == 0) {
    add_path(device, wwid.view(), reader);
  } else if (is_wanted(digest, number)) {
    MultipathMemory::Partition partition{.digest = digest,
                                         .number = number,
                                         .start = read_number(Path(device.directory, "/start")),
                                         .sectors = read_number(Path(device.directory, "/size"))};
    copy_name(wwid.view(), partition.wwid_name);
    memory_.partitions.push(partition);
  }
  return kMultipathMember;
}

void Multipath::add_path(const SeenDevice& device, std::string_view wwid, BlockReader& reader) {
  if (memory_.path_count == memory_.paths.size()) {
    memory_.too_many = true;
    return;
  }
  Text<64> state;
  read_line(Path(device.directory, "/device/access_state"), state);
  DiskPath& path = memory_.paths[memory_.path_count++];
  path = {.digest = multipath::digest(wwid),
          .rank = rank_of(state.view()),
          .sectors = read_number(Path(device.directory, "/size"))};
  if (!read_content(reader, path.content)) path.rank += MultipathMemory::kUnreadable;
  copy(device.path.substr(device.path.rfind('/') + 1), path.name);
  copy(device.number, path.number);
  copy_name(wwid, path.wwid_name);
}

std::span<const MultipathMemory::DiskPath> Multipath::paths_of(std::uint64_t digest) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < memory_.path_count; ++i) {
    if (memory_.paths[i].digest != digest) continue;
    std::size_t place = count++;
    std::swap(memory_.paths[i], memory_.paths[place]);
    for (; place > 0 && memory_.paths[place].rank < memory_.paths[place - 1].rank; --place) {
      std::swap(memory_.paths[place], memory_.paths[place - 1]);
    }
  }
  return {memory_.paths.data(), count};
}

bool Multipath::is_active(std::size_t layer, const DeviceDirectories& directories) {
  multipath::Line line;
  multipath::parse(layers_[layer], line);
  Text<32> prefix;
  if (line.partition > 0) prefix.put("part", line.partition, '-');
  prefix.put(kUuidPrefix);
  bool active = false;
  for_each_dm_uuid(directories, [&](std::string_view uuid) {
    if (!uuid.starts_with(prefix.view())) return;
    Text<256> wwid;
    multipath::put_wwid(uuid.substr(prefix.view().size()), wwid);
    active = active || multipath::digest(wwid.view()) == line.digest;
  });
  return active;
}

bool Multipath::make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
                     TextBuffer& problem) {
  multipath::Line line;
  multipath::parse(layers_[layer], line);
  problem.put("multipath disk ");
  multipath::put_digest(line.digest, problem);
  problem.put(": ");
  const bool done = line.partition > 0 ? make_partition(line, drivers, made, problem)
                                       : make_disk(line, patient, drivers, made, problem);
  if (done) problem.clear();
  return done;
}

bool Multipath::make_disk(const multipath::Line& line, bool patient, LayerDrivers& drivers,
                          TextBuffer& made, TextBuffer& problem) {
  const std::span<const DiskPath> paths = paths_of(line.digest);
  const auto readable =
      static_cast<std::size_t>(std::count_if(paths.begin(), paths.end(), [](const DiskPath& path) {
        return path.rank < MultipathMemory::kUnreadable;
      }));
  if (readable == 0) {
    problem.put(memory_.too_many ? "there are too many paths"
                : paths.empty()  ? "no path to it was found"
                                 : "none of its paths can be read");
    return false;
  }
  const DiskPath& best = paths.front();
  for (const DiskPath& path : paths.first(readable)) {
    if (path.sectors == best.sectors && path.content == best.content) continue;
    problem.put(best.name, " and ", path.name, " have its identity and are different disks");
    return false;
  }
  if (patient && readable < line.paths) {
    problem.put(readable, " of ", line.paths, " paths can be read");
    return false;
  }
  if (best.wwid_name[0] == '\0') {
    problem.put("an identity of an unknown kind");
    return false;
  }
  const Text<DM_UUID_LEN> uuid(kUuidPrefix, best.wwid_name);
  Text<2048> parameters;
  if (!line.failover) {
    parameters.put(best.number, " 0");
    return create(best.wwid_name, uuid.view(), best.sectors, "linear", parameters.view(), drivers,
                  made, problem);
  }
  // Each path is a group of its own, so that the next is used when one has failed. Without
  // queue_if_no_path, because a capture must get an error. Of bios and not of requests, which would
  // have dm-rq keep 2048 of them. The kernel attaches the handler of the array itself.
  parameters.put("2 queue_mode bio 0 ", paths.size(), " 1");
  for (const DiskPath& path : paths) parameters.put(" round-robin 0 1 1 ", path.number, " 1");
  return create(best.wwid_name, uuid.view(), best.sectors, "multipath", parameters.view(), drivers,
                made, problem);
}

// As kpartx makes it.
bool Multipath::make_partition(const multipath::Line& line, LayerDrivers& drivers, TextBuffer& made,
                               TextBuffer& problem) {
  const auto* disk = std::find_if(memory_.disks.begin(), memory_.disks.end(),
                                  [&](const auto& d) { return d.digest == line.digest; });
  const auto* partition = std::find_if(
      memory_.partitions.begin(), memory_.partitions.end(),
      [&](const auto& p) { return p.digest == line.digest && p.number == line.partition; });
  if (disk == memory_.disks.end() || partition == memory_.partitions.end()) {
    problem.put("partition ", line.partition,
                disk == memory_.disks.end() ? " waits for it" : " is not on any of its paths");
    return false;
  }
  const Text<DM_NAME_LEN> name(partition->wwid_name, "-part", line.partition);
  const Text<DM_UUID_LEN> uuid("part", line.partition, "-", kUuidPrefix, partition->wwid_name);
  const Text<64> parameters(disk->number, " ", partition->start);
  return create(name.view(), uuid.view(), partition->sectors, "linear", parameters.view(), drivers,
                made, problem);
}

bool Multipath::create(std::string_view name, std::string_view uuid, std::uint64_t sectors,
                       std::string_view type, std::string_view parameters, LayerDrivers& drivers,
                       TextBuffer& made, TextBuffer& problem) {
  DeviceTable table(memory_.table);
  table.add(0, sectors, type, parameters);
  const int error = make_device(drivers.mapper, name, uuid, table);
  if (error != 0) {
    problem.put("cannot make it: ", ::strerror(error));
    return false;
  }
  made.put(type, " device ", name);
  return true;
}

}  // namespace kdinit
