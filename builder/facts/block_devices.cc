// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/block_devices.h"

#include <algorithm>
#include <utility>

#include "builder/base/path.h"
#include "builder/facts/device_files.h"
#include "builder/facts/encrypted_volume.h"
#include "builder/facts/logical_volume.h"
#include "builder/facts/multipath_disk.h"

namespace kd {
namespace {

constexpr std::string_view kClassBlock = "/sys/class/block/";

std::string parent_of(std::string_view path) {
  return std::string(path.substr(0, path.rfind('/')));
}

// The last component of where a link leads; empty when there is none.
std::string link_name(const FileReader& reader, const std::string& path) {
  const Result<std::string> target = reader.resolve(path);
  return target ? std::string(base_name(*target)) : std::string();
}

std::vector<std::string> names_in(const FileReader& reader, const std::string& path) {
  return reader.list(path).value_or(std::vector<std::string>{});
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What udev would load the driver by. Not every bus has the attribute: of a card on the mmc bus and
// of a PrimeCell on the amba bus only the event tells (mmc_bus_uevent() in drivers/mmc/core/bus.c,
// amba_uevent() in drivers/amba/bus.c).
std::string modalias_of(const FileReader& reader, const std::string& path) {
  std::string modalias = read_attribute(reader, path + "/modalias");
  if (!modalias.empty()) return modalias;
  constexpr std::string_view kKey = "MODALIAS=";
  const std::string event = "\n" + read_attribute(reader, path + "/uevent") + "\n";
  const std::size_t key = event.find(fmt::format("\n{}", kKey));
  if (key == std::string::npos) return {};
  const std::size_t value = key + 1 + kKey.size();
  return event.substr(value, event.find('\n', value) - value);
}

// Appends the devices from `path` up to the root of their bus. Directories that only group devices
// ("/block", "/nvme") have neither uevent nor subsystem.
void append_chain(const FileReader& reader, std::string path, std::vector<BusNode>& chain) {
  for (; path.starts_with("/sys/devices/"); path = parent_of(path)) {
    const std::string below_sys = path.substr(5);
    const bool seen = std::any_of(chain.begin(), chain.end(),
                                  [&](const BusNode& node) { return node.path == below_sys; });
    if (seen) return;
    if (!reader.exists(path + "/uevent") && !reader.exists(path + "/subsystem")) continue;
    chain.push_back({.path = below_sys,
                     .subsystem = link_name(reader, path + "/subsystem"),
                     .modalias = modalias_of(reader, path),
                     .driver = link_name(reader, path + "/driver"),
                     .module = link_name(reader, path + "/driver/module")});
  }
}

// A disk of a multipath NVMe subsystem stands below that subsystem; the controllers, linked from
// its directory, lead to hardware. Drives with two ports look so even with a single path in use.
void append_nvme_controllers(const FileReader& reader, const std::string& subsystem,
                             std::vector<BusNode>& chain) {
  for (const std::string& name : names_in(reader, subsystem)) {
    const Result<std::string> target = reader.resolve(subsystem + "/" + name);
    if (target && !target->starts_with(subsystem + "/")) append_chain(reader, *target, chain);
  }
}

// How an NVMe disk is reached that is not on this machine's PCI ("tcp", "rdma", "fc"); else empty.
std::string nvme_fabric(const FileReader& reader, const std::vector<BusNode>& chain) {
  const bool fabric = std::ranges::find(chain, "nvme-fabrics", &BusNode::subsystem) != chain.end();
  const auto controller = std::ranges::find(chain, "nvme", &BusNode::subsystem);
  return fabric && controller != chain.end()
             ? read_attribute(reader, fmt::format("/sys/{}/transport", controller->path))
             : std::string();
}

BlockDevice read_device(const FileReader& reader, const std::string& name,
                        const std::string& path) {
  BlockDevice device{.name = name,
                     .kind = BlockKind::kDisk,
                     .layer = {},
                     .below = names_in(reader, path + "/slaves"),
                     .chain = {},
                     .volume = {},
                     .multipath = {},
                     .array = {},
                     .encrypted = {}};
  if (reader.exists(path + "/partition")) {
    device.kind = BlockKind::kPartition;
    device.below = {std::string(base_name(parent_of(path)))};
  } else if (reader.exists(path + "/dm")) {
    device.kind = BlockKind::kDeviceMapper;
    const std::string uuid = read_attribute(reader, path + "/dm/uuid");
    device.layer = uuid.substr(0, uuid.find('-'));
    device.volume = volume_of_uuid(uuid);
    device.multipath = find_multipath(reader, uuid, device.below);
    device.encrypted = encrypted_volume_of_uuid(uuid);
  } else if (reader.exists(path + "/md")) {
    device.kind = BlockKind::kMd;
    device.layer = read_attribute(reader, path + "/md/level");
    device.array = Array{.metadata = read_attribute(reader, path + "/md/metadata_version"),
                         .uuid = {},
                         .disks = 0,
                         .members = {},
                         .problem = {}};
  } else if (name.starts_with("loop")) {
    device.kind = BlockKind::kLoop;
  } else if (path.starts_with("/sys/devices/virtual/block/")) {
    device.kind = BlockKind::kOther;
  } else {
    append_chain(reader, path, device.chain);
    if (path.find("/nvme-subsystem/") != std::string::npos) {
      append_nvme_controllers(reader, parent_of(path), device.chain);
    }
    device.layer = nvme_fabric(reader, device.chain);
  }
  return device;
}

// "UUID=x" and its like as the link udev makes for it.
std::string path_of_source(std::string_view source) {
  constexpr std::pair<std::string_view, std::string_view> kTags[] = {
      {"UUID=", "/dev/disk/by-uuid/"},
      {"LABEL=", "/dev/disk/by-label/"},
      {"PARTUUID=", "/dev/disk/by-partuuid/"},
      {"PARTLABEL=", "/dev/disk/by-partlabel/"}};
  for (const auto& [tag, directory] : kTags) {
    if (source.starts_with(tag)) return fmt::format("{}{}", directory, source.substr(tag.size()));
  }
  return std::string(source);
}

std::string find_by_attribute(const FileReader& reader, const std::string& file,
                              std::string_view value) {
  for (const std::string& name : names_in(reader, std::string(kClassBlock))) {
    if (read_attribute(reader, fmt::format("{}{}/{}", kClassBlock, name, file)) == value)
      return name;
  }
  return {};
}

}  // namespace

std::string find_block_device(const FileReader& reader, std::string_view number,
                              std::string_view source) {
  if (!number.empty() && !number.starts_with("0:")) {
    const Result<std::string> path = reader.resolve(fmt::format("/sys/dev/block/{}", number));
    // Some containers have no /sys/dev/block, but the devices themselves.
    std::string name =
        path ? std::string(base_name(*path)) : find_by_attribute(reader, "dev", number);
    if (!name.empty() && reader.exists(std::string(kClassBlock) + name)) return name;
  }
  const std::string path = path_of_source(source);
  constexpr std::string_view kDev = "/dev/", kMapper = "/dev/mapper/";
  std::string device = reader.resolve(path).value_or(path);
  if (!path.starts_with(kDev) || !device.starts_with(kDev)) return {};
  device.erase(0, kDev.size());
  std::replace(device.begin(), device.end(), '/', '!');
  if (reader.exists(fmt::format("{}{}", kClassBlock, device))) return device;
  return path.starts_with(kMapper)
             ? find_by_attribute(reader, "dm/name", path.substr(kMapper.size()))
             : std::string();
}

std::vector<Watchdog> find_watchdogs(const FileReader& reader) {
  const std::string directory = "/sys/class/watchdog";
  std::vector<Watchdog> found;
  for (const std::string& name : names_in(reader, directory)) {
    const Result<std::string> path = reader.resolve(fmt::format("{}/{}", directory, name));
    if (!path || path->starts_with("/sys/devices/virtual/")) continue;
    append_chain(reader, *path, found.emplace_back(Watchdog{.name = name, .chain = {}}).chain);
  }
  std::ranges::sort(found, {}, &Watchdog::name);
  return found;
}

void add_block_device(const FileReader& reader, const std::string& name, DeviceMap& devices) {
  for (std::vector<std::string> wanted{name}; !wanted.empty();) {
    const std::string next = std::move(wanted.back());
    wanted.pop_back();
    const Result<std::string> path = reader.resolve(std::string(kClassBlock) + next);
    if (!path || devices.contains(next)) continue;
    BlockDevice device = read_device(reader, next, *path);
    std::erase_if(device.below, [&](const std::string& below) {
      return !reader.exists(std::string(kClassBlock) + below);
    });
    wanted.insert(wanted.end(), device.below.begin(), device.below.end());
    devices.emplace(next, std::move(device));
  }
}

std::optional<BtrfsFacts> find_btrfs(const FileReader& reader, std::string_view device) {
  for (const std::string& uuid : names_in(reader, "/sys/fs/btrfs")) {
    const std::string directory = "/sys/fs/btrfs/" + uuid;
    std::vector<std::string> devices = names_in(reader, directory + "/devices");
    if (!contains(devices, device)) continue;
    return BtrfsFacts{.uuid = uuid, .devices = std::move(devices)};
  }
  return std::nullopt;
}

}  // namespace kd
