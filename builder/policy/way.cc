// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/way.h"

#include <algorithm>
#include <array>
#include <utility>

#include "builder/base/path.h"
#include "builder/policy/mounted_part.h"
#include "builder/policy/storage_layer.h"

namespace kd {
namespace {

// File systems init can find by UUID and mount without a helper program.
constexpr std::array<std::string_view, 6> kFileSystems = {"ext2", "ext3",  "ext4",
                                                          "xfs",  "btrfs", "vfat"};

Result<void> check_file_system(const Place& place) {
  const DumpMount& mount = place.mount;
  if (mount.fs_type == "autofs") {
    // Of a disk that is late, mostly: not to know is no refusal, as below.
    return fail(ErrorKind::kFailed,
                "{} is below the automount {}, which mounts nothing now: open that directory, or "
                "mount its file system, and try again",
                place.path, mount.mount_point);
  }
  if (std::ranges::find(kFileSystems, mount.fs_type) == kFileSystems.end()) {
    return fail(ErrorKind::kTargetNotSupported,
                "{} is on {} ({} mounted at {}): this file system cannot be {} yet; {}", place.path,
                mount.fs_type, mount.source, mount.mount_point, place.role, place.advice);
  }
  if (const std::string device = second_device(mount); !device.empty()) {
    return fail(ErrorKind::kTargetNotSupported,
                "the {} file system at {} needs a second device, {}: it cannot be {} yet; {}",
                mount.fs_type, mount.mount_point, device, place.role, place.advice);
  }
  // Init trusts the signature, because a member of an array looks just the same.
  if (!mount.container.empty()) {
    return fail(
        ErrorKind::kTargetNotSupported,
        "{} has the {} file system of {} and the signature of {}, for which the image would "
        "leave it alone: it cannot be {}; wipefs(8) shows a signature that is left over "
        "from an earlier use, and removes it",
        mount.device, mount.fs_type, mount.mount_point, mount.container, place.role);
  }
  // Not to know is no refusal: what is missing once may be there at the next try, and an image that
  // was built before stays.
  if (mount.device.empty()) {
    return fail(ErrorKind::kFailed,
                "{} is on {} ({}), but no block device below it was found in /sys; in a container "
                "or build root use --facts with a record of the real machine",
                place.path, mount.fs_type, mount.source);
  }
  if (mount.uuid.empty()) {
    return fail(ErrorKind::kFailed,
                "the UUID of the {} file system on {} could not be read, and device names may "
                "change in the capture kernel; run as root, or name UUID= in /etc/fstab",
                mount.fs_type, mount.device);
  }
  if (mount.members.size() > kdinit::kMaxMembers) {
    return fail(ErrorKind::kTargetNotSupported,
                "{} at {} spans {} devices: {} is possible on {} at most", mount.fs_type,
                mount.mount_point, mount.members.size(), place.role, kdinit::kMaxMembers);
  }
  return {};
}

// What could not be read of a device, when there was nothing else to say of it: without that nobody
// knows whether init can assemble it.
std::string_view unread_part(const BlockDevice& device) {
  if (const auto& volume = device.volume;
      volume && volume->layout.empty() && volume->problem.empty()) {
    return "a logical volume of LVM whose metadata";
  }
  if (const auto& array = device.array; array && array->uuid.empty() && array->problem.empty()) {
    return "an array of md whose superblocks";
  }
  return {};
}

// What helps where a storage layer does not.
std::string_view advice_for(const BlockDevice& device) {
  return device.volume ? "; linear, striped, raid1 and thin volumes are, and partitions" : "";
}

// What has to be there for a device: of an array no spares, and no disks that have failed.
std::vector<std::string> needed_below(const BlockDevice& device) {
  if (!device.array) return device.below;
  std::vector<std::string> names;
  for (const ArrayMember& member : device.array->members) names.push_back(member.device);
  return names;
}

std::vector<std::string> devices_of(const DumpMount& mount) {
  return mount.members.empty() ? std::vector{mount.device} : mount.members;
}

// Devices on the way down, nearest first.
using Stack = std::vector<const BlockDevice*>;

// What lvm makes a volume of and hides; init makes it with the volume, whose layout it knows.
bool is_part(const BlockDevice& device, const Stack& above) {
  return device.kind == BlockKind::kDeviceMapper && device.layer == "LVM" && !device.volume &&
         !above.empty() && above.back()->layer == "LVM";
}

// Adds the device and everything below it; `above` is the way to it. Refuses every layer but
// partitions and those that init assembles.
Result<void> add_known(const MachineFacts& machine, const Place& place, std::string_view name,
                       Stack& above, Stack& stack) {
  const BlockDevice* device = find_device(machine, name);
  if (device == nullptr) {
    return fail(ErrorKind::kTargetNotSupported,
                "the facts name block device {} below {} but do not describe it", name, place.path);
  }
  // A record may be damaged; a device below itself would never end.
  if (std::ranges::find(above, device) != above.end()) {
    return fail(ErrorKind::kTargetNotSupported, "block device {} is recorded below itself",
                device->name);
  }
  // Two partitions of one disk lead to it twice.
  if (std::ranges::find(stack, device) != stack.end()) return {};
  if (const auto& volume = device->volume;
      volume && !volume->layout.empty() && !volume->problem.empty()) {
    return fail(ErrorKind::kFailed, "{} is on {}, a {} logical volume that cannot be {} now: {}",
                place.path, device->name, volume->layout, place.role, volume->problem);
  }
  const bool one_of_several =
      place.mount.members.size() > 1 ||
      std::ranges::any_of(above, [](const BlockDevice* upper) { return upper->array.has_value(); });
  if (one_of_several && device->volume && device->volume->layout == "thin") {
    return fail(
        ErrorKind::kTargetNotSupported,
        "{} is on {}, a thin logical volume that is one device of several: how much its pool "
        "has room for is known of a volume alone; it cannot be {} yet; {}",
        place.path, device->name, place.role, place.advice);
  }
  if (const std::string layer = is_part(*device, above) ? "" : foreign_layer(*device);
      !layer.empty()) {
    return fail(ErrorKind::kTargetNotSupported,
                "{} is on {}, {}: this storage layer is not supported as {} yet{}", place.path,
                device->name, layer, place.role, advice_for(*device));
  }
  if (const std::string_view unread = unread_part(*device); !unread.empty()) {
    return fail(ErrorKind::kFailed, "{} is on {}, {} could not be read from {}; run as root",
                place.path, device->name, unread, fmt::join(device->below, ", "));
  }
  if (device->encrypted) KD_CHECK(check_encrypted(*device, place.path, place.key));
  stack.push_back(device);
  above.push_back(device);
  for (const std::string& below : needed_below(*device)) {
    KD_CHECK(add_known(machine, place, below, above, stack));
  }
  above.pop_back();
  return {};
}

Result<Stack> known_stack(const MachineFacts& machine, const Place& place) {
  Stack stack, above;
  for (const std::string& name : devices_of(place.mount)) {
    KD_CHECK(add_known(machine, place, name, above, stack));
  }
  return stack;
}

// A number of the device mapper is another one after the next start.
std::string_view lasting_name(const DumpMount& mount) {
  constexpr std::string_view kMapper = "/dev/mapper/";
  const std::string_view source = mount.source;
  return source.starts_with(kMapper) ? source.substr(kMapper.size()) : mount.device;
}

void want(std::string_view module, const std::string& reason, Way& way) {
  const auto same = [module](const modsel::Wanted& wanted) { return wanted.what == module; };
  if (std::ranges::any_of(way.modules, same)) return;
  way.modules.push_back(
      {.what = std::string(module), .otherwise = {}, .options = {}, .reason = reason});
}

// Where to switch paths is more than a command on the next one, the kernel's failover is not
// enough: see the pg_init of drivers/scsi/device_handler/.
bool fails_over(const std::string& handler) { return handler.empty() || handler == "alua"; }

void add_multipath(const MultipathDisk& disk, const std::string& reason, Way& way) {
  if (disk.partition > 0) {
    way.layers.push_back(
        {kdinit::LayerKind::kMultipath, fmt::format("{}/{}", disk.digest, disk.partition), ""});
    return;
  }
  const bool failover = fails_over(disk.handler);
  way.layers.push_back({kdinit::LayerKind::kMultipath, disk.digest,
                        fmt::format("{} {}", disk.paths, failover ? "failover" : "single")});
  want("dm_mod", reason, way);
  if (failover) {
    want("dm_multipath", reason, way);
    want("dm_round_robin", reason, way);
  }
  // The kernel asks the handlers that are there when it finds a path, and never again.
  if (!disk.handler.empty()) {
    way.modules.insert(
        way.modules.begin(),
        {.what = "scsi_dh_" + disk.handler, .otherwise = {}, .options = {}, .reason = reason});
  }
}

// "raid5" is one of three levels of raid456. Nothing asks for it: the kernel's request_module() has
// no modprobe in the capture.
std::string_view personality_of(std::string_view level) {
  constexpr std::array<std::string_view, 3> kParity = {"raid4", "raid5", "raid6"};
  return std::ranges::find(kParity, level) == kParity.end() ? level : "raid456";
}

void add_array(const BlockDevice& device, const std::string& reason, Way& way) {
  const Array& array = *device.array;
  std::vector<std::string> ids;
  for (const ArrayMember& member : array.members) ids.push_back(member.id);
  const std::string_view personality = personality_of(device.layer);
  way.layers.push_back({.kind = kdinit::LayerKind::kMd,
                        .id = array.uuid,
                        .parameters = fmt::format("{}", fmt::join(ids, " ")),
                        .stripe_disks = personality == "raid456" ? array.disks : 0});
  want("md_mod", reason, way);
  want(personality, reason, way);
}

// What init needs to make the device, when it is one that it makes. `top` names what lies above.
void add_layer(const BlockDevice& device, std::string_view top, const MachineFacts& machine,
               VolumeKey key, Way& way) {
  const std::string reason = fmt::format("assembles {}", top);
  if (device.volume) {
    way.layers.push_back({kdinit::LayerKind::kLvm, device.volume->id, device.volume->group});
    // It has the targets "linear" and "striped" in itself, see drivers/md/Makefile.
    want("dm_mod", reason, way);
    if (device.volume->layout == "raid1") {
      way.layers.back().raid1 = true;
      want("raid1", reason, way);  // nothing asks for it, as with an array
      want("dm_raid", reason, way);
    }
    if (device.volume->layout == "thin") {
      way.layers.back().thin = true;
      want("dm_thin_pool", reason, way);
    }
  }
  if (device.multipath) add_multipath(*device.multipath, reason, way);
  if (device.array) add_array(device, reason, way);
  if (device.encrypted) {
    way.layers.push_back(
        {kdinit::LayerKind::kLuks, device.encrypted->uuid, opening_of(*device.encrypted, key)});
    want_cipher(device.encrypted->cipher, machine.loaded_modules,
                fmt::format("opens {}", device.encrypted->name), way.modules);
    // The keys of the crashed kernel are asked for there; mostly it is built in.
    if (key == VolumeKey::kKernel) {
      way.modules.push_back({.what = "configfs",
                             .otherwise = {},
                             .options = {},
                             .reason = "hands keys over",
                             .required = false});
    }
  }
}

}  // namespace

std::string describe(const Place& place) {
  const DumpMount& mount = place.mount;
  const std::string devices = mount.members.empty()
                                  ? std::string(lasting_name(mount))
                                  : fmt::format("{}", fmt::join(mount.members, ", "));
  return fmt::format("{} on {} for {}", mount.fs_type, devices, place.path);
}

// What sysfs says of the way from a disk to its bus root. A node's own driver is asked for by the
// module name the running kernel has for it; its modalias only stands in where the target kernel
// has no such module, because an alias may also match drivers that were not bound (a SATA
// controller in IDE mode matches three).
void want_bus_modules(std::string_view device, const std::vector<BusNode>& chain,
                      std::vector<modsel::Wanted>& wanted) {
  for (const BusNode& node : chain) {
    const std::string reason =
        fmt::format("{} {} below {}", node.subsystem.empty() ? "device" : node.subsystem,
                    base_name(node.path), device);
    if (!node.module.empty()) {
      wanted.push_back(
          {.what = node.module, .otherwise = node.modalias, .options = {}, .reason = reason});
    } else if (!node.modalias.empty()) {
      // Builtin here, or bound by no driver: the target kernel may have it as a module. Without the
      // driver of the disk itself there is no disk; mmc_register_driver() knows no owner, so that
      // mmc_block never has a module here.
      wanted.push_back({.what = node.modalias,
                        .otherwise = {},
                        .options = {},
                        .reason = reason,
                        .required = !node.driver.empty() && is_upper_bus(node.subsystem)});
    }
  }
}

Result<Way> way_to(const MachineFacts& machine, const Place& place) {
  KD_CHECK(check_file_system(place));
  KD_TRY(const Stack stack, known_stack(machine, place));
  Way way;
  for (const BlockDevice* device : stack) {
    want_bus_modules(device->name, device->chain, way.modules);
  }
  for (const BlockDevice* device : stack) {
    add_layer(*device, lasting_name(place.mount), machine, place.key, way);
  }
  way.modules.push_back(
      {.what = place.mount.fs_type, .otherwise = {}, .options = {}, .reason = describe(place)});
  return way;
}

}  // namespace kd
