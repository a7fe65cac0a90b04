// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/arrays.h"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <charconv>

#include "builder/base/fd.h"
#include "builder/init/storage/container.h"
#include "builder/init/storage/sysfs.h"

namespace kdinit {
namespace {

// "8:17"; false for anything else.
bool parse_number(std::string_view text, DeviceNumber& number) {
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, number.major);
  if (major.ec != std::errc{} || major.ptr == end || *major.ptr != ':') return false;
  const auto minor = std::from_chars(major.ptr + 1, end, number.minor);
  return minor.ec == std::errc{} && minor.ptr == end;
}

void put_name(std::size_t layer, TextBuffer& out) { out.put("md", layer); }

}  // namespace

void Arrays::begin(std::span<const Layer> layers) {
  layers_ = layers;
  memory_.count = 0;
  memory_.too_many_disks = false;
}

bool Arrays::is_wanted(const md::Uuid& array) const {
  return std::any_of(layers_.begin(), layers_.end(), [&array](const Layer& layer) {
    md::Wanted wanted;
    return layer.kind == LayerKind::kMd && md::parse_wanted(layer.id, layer.parameters, wanted) &&
           wanted.array == array;
  });
}

// Versions 1.1 and 1.2 have their data, and a partition table in it, further behind.
bool Arrays::holds_partition(const SeenDevice& partition) const {
  Text<64> disk;
  put_disk_of(partition.directory, disk);
  if (disk.view().empty()) return false;
  Path path, directory(partition.directory, "/..");
  const std::string_view dev = partition.path.substr(0, partition.path.rfind('/'));
  put_device_path(dev, disk.view(), path);
  const kd::Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  FileReader reader(fd.get());
  for (const md::Version version : {md::Version::k0_90, md::Version::k1_0}) {
    md::Superblock superblock;
    if (md::read_superblock(reader, version, superblock) == md::SuperblockState::kFound &&
        is_wanted(superblock.array) &&
        !is_in_partition(directory.view(), md::place_of(version, reader.size()) / 512)) {
      return true;
    }
  }
  return false;
}

std::string_view Arrays::add(const SeenDevice& device, BlockReader& reader) {
  if (device.container != kMdMember) return holds_partition(device) ? kMdMember : "";
  for (const md::Version version : md::kVersions) {
    md::Superblock superblock;
    if (md::read_superblock(reader, version, superblock) != md::SuperblockState::kFound ||
        !is_wanted(superblock.array)) {
      continue;
    }
    // A disk whose last partition is a member looks like one itself.
    if (is_in_partition(device.directory, md::place_of(version, reader.size()) / 512)) continue;
    take(superblock, device.number);
  }
  return kMdMember;
}

void Arrays::take(const md::Superblock& superblock, std::string_view number) {
  if (memory_.count == memory_.superblocks.size() ||
      !parse_number(number, memory_.devices[memory_.count])) {
    memory_.too_many_disks = true;
    return;
  }
  memory_.superblocks[memory_.count++] = superblock;
}

bool Arrays::is_active(std::size_t layer, const DeviceDirectories& directories) {
  Text<16> name, state;
  put_name(layer, name);
  read_line(Path(directories.sys_block, "/", name.view(), "/md/array_state"), state);
  return !state.view().empty() && state.view() != "clear" && state.view() != "inactive";
}

bool Arrays::make(std::size_t layer, bool patient, LayerDrivers& drivers, TextBuffer& made,
                  TextBuffer& problem) {
  problem.put("array ", layers_[layer].id, ": ");
  md::Wanted wanted;
  md::parse_wanted(layers_[layer].id, layers_[layer].parameters, wanted);
  const md::Choice choice =
      md::choose({memory_.superblocks.data(), memory_.count}, wanted, patient);
  if (memory_.too_many_disks || choice.problem != nullptr) {
    memory_.too_many_disks ? static_cast<void>(problem.put("there are too many disks"))
                           : md::put_problem(choice, problem);
    return false;
  }
  List<DeviceNumber, md::kMaxMembers> members;
  for (const std::uint32_t index : choice.members) members.push(memory_.devices[index]);
  const md::Superblock& freshest = memory_.superblocks[choice.members.items[0]];
  Text<16> name;
  put_name(layer, name);
  if (const int error =
          drivers.arrays.start(name.view(), freshest.version, {members.begin(), members.end()})) {
    problem.put("cannot start ", name.view(), ": ", ::strerror(error));
    return false;
  }
  problem.clear();
  made.put(name.view(), " (", md::name_of_level(freshest.level), " with ", members.count, " of ",
           freshest.raid_disks, " disks)");
  return true;
}

}  // namespace kdinit
