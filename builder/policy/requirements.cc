// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/requirements.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "builder/base/path.h"
#include "builder/policy/dump_libraries.h"
#include "builder/policy/lasting_target.h"
#include "builder/policy/mounted_part.h"
#include "builder/policy/network_target.h"
#include "builder/policy/storage_layer.h"
#include "builder/policy/timeouts.h"

namespace kd {
namespace {

// File systems init can find by UUID and mount without a helper program.
constexpr std::array<std::string_view, 6> kFileSystems = {"ext2", "ext3",  "ext4",
                                                          "xfs",  "btrfs", "vfat"};

// A mount the capture kernel has to reach, and how messages speak of it.
struct Place {
  const DumpMount& mount;
  std::string_view path;
  std::string_view role;    // "a dump target"
  std::string_view advice;  // where the file system is not one init knows
};

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
  if (mount.members.size() > 1) {
    return fail(ErrorKind::kTargetNotSupported,
                "{} at {} spans {} devices ({}): a file system on more than one device is not "
                "supported as {} yet",
                mount.fs_type, mount.mount_point, mount.members.size(),
                fmt::join(mount.members, ", "), place.role);
  }
  return {};
}

// Without its metadata nobody knows whether init can assemble it.
Result<void> check_volume(const BlockDevice& device, const Place& place) {
  if (!device.volume || !device.volume->layout.empty() || !device.volume->problem.empty())
    return {};
  return fail(
      ErrorKind::kFailed,
      "{} is on {}, a logical volume of LVM whose metadata could not be read from {}; run as "
      "root",
      place.path, device.name, fmt::join(device.below, ", "));
}

// What helps where a storage layer does not.
std::string_view advice_for(const BlockDevice& device) {
  return device.volume ? "; linear and striped volumes are, and partitions" : "";
}

// The place's device and everything below it, nearest first; refuses every layer but partitions and
// logical volumes that init assembles.
Result<std::vector<const BlockDevice*>> known_stack(const MachineFacts& machine,
                                                    const Place& place) {
  std::vector<const BlockDevice*> stack;
  std::vector<std::string> next = {place.mount.device};
  while (!next.empty()) {
    const BlockDevice* device = find_device(machine, next.back());
    if (device == nullptr) {
      return fail(ErrorKind::kTargetNotSupported,
                  "the facts name block device {} below {} but do not describe it", next.back(),
                  place.path);
    }
    next.pop_back();
    if (const std::string layer = foreign_layer(*device); !layer.empty()) {
      return fail(ErrorKind::kTargetNotSupported,
                  "{} is on {}, {}: this storage layer is not supported as {} yet{}", place.path,
                  device->name, layer, place.role, advice_for(*device));
    }
    KD_CHECK(check_volume(*device, place));
    // A record may be damaged; a device below itself would never end.
    if (std::ranges::find(stack, device) != stack.end()) {
      return fail(ErrorKind::kTargetNotSupported, "block device {} is recorded below itself",
                  device->name);
    }
    stack.push_back(device);
    next.insert(next.end(), device->below.begin(), device->below.end());
  }
  return stack;
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

// Armed, a watchdog resets the machine in the middle of the dump unless init answers it. Before the
// disks, whose probes may take long; without its driver a dump is still likelier than not.
void want_watchdogs(const MachineFacts& machine, std::vector<modsel::Wanted>& wanted) {
  std::vector<modsel::Wanted> drivers;
  for (const Watchdog& watchdog : machine.watchdogs) {
    want_bus_modules(watchdog.name, watchdog.chain, drivers);
  }
  for (modsel::Wanted& driver : drivers) driver.required = false;
  wanted.insert(wanted.begin(), drivers.begin(), drivers.end());
}

Result<Target> choose_target(const MachineFacts& machine) {
  const DumpMount& mount = machine.dump_mount;
  KD_TRY(MountedPart part, mounted_part(mount));
  std::string below = machine.dump_directory;
  if (mount.mount_point != "/") below.erase(0, mount.mount_point.size());
  if (part.directory != "/") below.insert(0, part.directory);
  if (below.empty()) below = "/";
  return Target{.fs_type = mount.fs_type,
                .uuid = mount.uuid,
                .options = std::move(part.options),
                .dump_directory = std::move(below),
                .description = {}};
}

// Nothing in the image can run a command of somebody's own; a machine that is back is worth more
// than a kernel that was not installed.
Result<kdinit::FinalAction> failure_action(const std::string& command, Requirements& result) {
  static const std::map<std::string, kdinit::FinalAction, std::less<>> known = {
      {"reboot", kdinit::FinalAction::kReboot},
      {"halt", kdinit::FinalAction::kHalt},
      {"poweroff", kdinit::FinalAction::kPoweroff},
      {"systemctl reboot", kdinit::FinalAction::kReboot},
      {"systemctl halt", kdinit::FinalAction::kHalt},
      {"systemctl poweroff", kdinit::FinalAction::kPoweroff}};
  KD_TRY(std::vector<std::string> words, split_words(command));
  std::erase_if(words, [](const std::string& word) {
    return word == "-f" || word == "-ff" || word == "--force";
  });
  if (!words.empty()) words.front().erase(0, words.front().rfind('/') + 1);
  const auto found = known.find(fmt::format("{}", fmt::join(words, " ")));
  if (found != known.end()) return found->second;
  // The real root runs it.
  if (result.capture == kdinit::CaptureMode::kDirect) {
    result.notes.push_back(fmt::format(
        "KDUMP_FAIL_CMD=\"{}\" cannot run in an image that saves the dump itself: a capture that "
        "saves nothing reboots; \"reboot -f\", \"halt -f\" and \"poweroff -f\" are possible, "
        "KDUMP_CAPTURE=rootfs runs any command",
        command));
  }
  return kdinit::FinalAction::kReboot;
}

Result<void> set_dump_arguments(const KdumpConfig& config, const DumpPair& pair,
                                Requirements& result) {
  KD_TRY(result.dump, choose_dump_arguments(config, pair));
  if (const std::size_t words = result.dump.first.size(); words > kdinit::kMaxArguments) {
    return fail(ErrorKind::kUsage, "MAKEDUMP_ARGS has {} words, at most {} are possible", words,
                kdinit::kMaxArguments);
  }
  if (!result.dump.note.empty()) result.notes.push_back(result.dump.note);
  result.uncalled_libraries = uncalled_libraries(result.dump.first);
  return {};
}

// A number of the device mapper is another one after the next start.
std::string_view lasting_name(const DumpMount& mount) {
  constexpr std::string_view kMapper = "/dev/mapper/";
  const std::string_view source = mount.source;
  return source.starts_with(kMapper) ? source.substr(kMapper.size()) : mount.device;
}

std::string describe(const Place& place) {
  return fmt::format("{} on {} for {}", place.mount.fs_type, lasting_name(place.mount), place.path);
}

// What leads to the file system of a place.
struct Way {
  std::vector<modsel::Wanted> modules;
  std::vector<VolumeId> volumes;
};

Result<Way> way_to(const MachineFacts& machine, const Place& place) {
  KD_CHECK(check_file_system(place));
  KD_TRY(const std::vector<const BlockDevice*> stack, known_stack(machine, place));
  Way way;
  for (const BlockDevice* device : stack) {
    want_bus_modules(device->name, device->chain, way.modules);
    if (device->volume) way.volumes.push_back({device->volume->group, device->volume->id});
  }
  // It has the targets "linear" and "striped" in itself, see drivers/md/Makefile.
  if (!way.volumes.empty()) {
    way.modules.push_back({.what = "dm_mod",
                           .otherwise = {},
                           .options = {},
                           .reason = fmt::format("assembles {}", lasting_name(place.mount))});
  }
  way.modules.push_back(
      {.what = place.mount.fs_type, .otherwise = {}, .options = {}, .reason = describe(place)});
  return way;
}

void add_volumes(const std::vector<VolumeId>& volumes, Requirements& result) {
  for (const VolumeId& volume : volumes) {
    if (std::ranges::find(result.volumes, volume) == result.volumes.end()) {
      result.volumes.push_back(volume);
    }
  }
}

Result<void> add_target(const MachineFacts& machine, Requirements& result) {
  const Place place{.mount = machine.dump_mount,
                    .path = machine.dump_directory,
                    .role = "a dump target",
                    .advice = "set KDUMP_COREDIR to a directory on ext2/3/4, xfs, btrfs or vfat"};
  KD_TRY(Way way, way_to(machine, place));
  KD_TRY(result.target, choose_target(machine));
  result.modules.wanted = std::move(way.modules);
  add_volumes(way.volumes, result);
  result.target.description = describe(place);
  if (std::string note = largest_file_note(place.mount.fs_type, machine.ram); !note.empty()) {
    result.notes.push_back(std::move(note));
  }
  return {};
}

Result<void> add_root(const MachineFacts& machine, Requirements& result) {
  const DumpMount& mount = machine.root_mount ? *machine.root_mount : machine.dump_mount;
  if (mount.mount_point != "/") {
    return fail(ErrorKind::kTargetNotSupported, "the facts do not say what is mounted at /");
  }
  KD_TRY(const MountedPart part, mounted_part(mount));
  if (part.directory != "/") {
    return fail(ErrorKind::kTargetNotSupported, "/ is only the directory {} of {}", mount.root,
                mount.source);
  }
  // The program that starts the system lies below /usr, and init mounts / alone.
  if (!machine.usr_source.empty()) {
    return fail(ErrorKind::kTargetNotSupported,
                "/usr is a file system of its own ({}), which a capture in the real root would "
                "lack; set KDUMP_CAPTURE=direct, or merge /usr into /",
                machine.usr_source);
  }
  const Place place{.mount = mount,
                    .path = "/",
                    .role = "the root of a capture",
                    .advice = "set KDUMP_CAPTURE=direct"};
  KD_TRY(Way way, way_to(machine, place));
  if (result.capture == kdinit::CaptureMode::kRootfs) {
    result.modules.wanted = std::move(way.modules);
    result.target.description = describe(place);
  } else if (machine.root_mount) {
    for (modsel::Wanted& module : way.modules) module.required = false;
    result.root_modules = std::move(way.modules);
  }
  add_volumes(way.volumes, result);
  result.root = {.fs_type = mount.fs_type, .uuid = mount.uuid, .options = part.options};
  return {};
}

}  // namespace

Result<Requirements> decide(const MachineFacts& machine, const KdumpConfig& config,
                            const InitramfsConfig& additions, std::vector<std::string> sysctls,
                            const DumpPair& pair) {
  KD_CHECK(refuse_network(config));
  KD_CHECK(check_lasting_target(machine));
  Requirements result;
  if (config.capture == "rootfs") {
    result.capture = kdinit::CaptureMode::kRootfs;
    KD_CHECK(add_root(machine, result));
  } else {
    KD_CHECK(add_target(machine, result));
    if (const Result<void> root = add_root(machine, result); !root) {
      result.notes.push_back("a capture that fails cannot fall back to the real root: " +
                             root.error().message);
    }
  }
  want_watchdogs(machine, result.modules.wanted);
  for (const ExtraModule& module : additions.modules) {
    result.modules.wanted.push_back({.what = module.name,
                                     .otherwise = {},
                                     .options = module.options,
                                     .reason = "listed in the modules file of --confdir"});
  }
  result.modules.loaded = machine.loaded_modules;

  KD_CHECK(set_dump_arguments(config, pair, result));
  result.save_dmesg = config.dump_dmesg;
  KD_TRY(result.failure_action, failure_action(config.fail_command, result));
  const bool rootfs = result.capture == kdinit::CaptureMode::kRootfs;
  result.target_timeout = target_timeout(
      config, machine, rootfs && machine.root_mount ? *machine.root_mount : machine.dump_mount);
  result.stall_timeout = stall_timeout(config, machine.ram);
  result.keep_dumps = static_cast<unsigned>(config.num_dumps);
  result.time_zone = machine.time_zone;
  result.sysctls = std::move(sysctls);
  return result;
}

}  // namespace kd
