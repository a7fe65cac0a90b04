// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/requirements.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "builder/policy/dump_libraries.h"
#include "builder/policy/lasting_target.h"
#include "builder/policy/mounted_part.h"
#include "builder/policy/network_target.h"
#include "builder/policy/timeouts.h"
#include "builder/policy/way.h"

namespace kd {
namespace {

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

// kdump-config gives the capture kernel the key of one volume.
Result<void> check_keys(const std::vector<RequiredLayer>& layers) {
  std::vector<std::string_view> names;
  for (const RequiredLayer& layer : layers) {
    if (layer.kind != kdinit::LayerKind::kLuks) continue;
    const std::string_view opening = layer.parameters;  // which the name ends
    names.push_back(opening.substr(opening.rfind(' ') + 1));
  }
  if (names.size() <= 1) return {};
  return fail(ErrorKind::kTargetNotSupported,
              "it takes the keys of several encrypted volumes ({}), and a capture kernel gets one: "
              "set KDUMP_COREDIR to a directory on one of them alone, or on a disk that is not "
              "encrypted",
              fmt::join(names, ", "));
}

Result<void> add_layers(const std::vector<RequiredLayer>& layers, Requirements& result) {
  std::vector<RequiredLayer> all = result.layers;
  for (const RequiredLayer& layer : layers) {
    if (std::ranges::find(all, layer) == all.end()) all.push_back(layer);
  }
  KD_CHECK(check_keys(all));
  result.layers = std::move(all);
  return {};
}

// dm-crypt encrypts into pages of its own, as many as are written at a time and up to 16 MiB of
// them (DM_CRYPT_MIN_PAGES_PER_CLIENT in drivers/md/dm-crypt.c).
void bound_encrypted_pages(Requirements& result) {
  if (std::ranges::count(result.layers, kdinit::LayerKind::kLuks, &RequiredLayer::kind) == 0) {
    return;
  }
  const auto bound = [&result](std::string_view path, std::uint64_t bytes) {
    const std::string key = fmt::format("{}=", path);
    const auto sets = [&key](const std::string& sysctl) { return sysctl.starts_with(key); };
    if (std::ranges::any_of(result.sysctls, sets)) return;
    result.sysctls.push_back(fmt::format("{}{}", key, bytes));
  };
  bound("vm/dirty_bytes", kMaxEncryptedBytes);
  bound("vm/dirty_background_bytes", kMaxEncryptedBytes / 4);
}

Result<void> add_target(const MachineFacts& machine, VolumeKey key, Requirements& result) {
  const Place place{.mount = machine.dump_mount,
                    .path = machine.dump_directory,
                    .role = "a dump target",
                    .advice = "set KDUMP_COREDIR to a directory on ext2/3/4, xfs, btrfs or vfat",
                    .key = key};
  KD_TRY(Way way, way_to(machine, place));
  KD_TRY(result.target, choose_target(machine));
  result.modules.wanted = std::move(way.modules);
  KD_CHECK(add_layers(way.layers, result));
  result.target.description = describe(place);
  if (std::string note = largest_file_note(place.mount.fs_type, machine.ram); !note.empty()) {
    result.notes.push_back(std::move(note));
  }
  return {};
}

Result<void> add_root(const MachineFacts& machine, VolumeKey key, Requirements& result) {
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
                    .advice = "set KDUMP_CAPTURE=direct",
                    .key = key};
  KD_TRY(Way way, way_to(machine, place));
  KD_CHECK(add_layers(way.layers, result));
  if (result.capture == kdinit::CaptureMode::kRootfs) {
    result.modules.wanted = std::move(way.modules);
    result.target.description = describe(place);
  } else if (machine.root_mount) {
    for (modsel::Wanted& module : way.modules) module.required = false;
    result.root_modules = std::move(way.modules);
  }
  result.root = {.fs_type = mount.fs_type, .uuid = mount.uuid, .options = part.options};
  return {};
}

}  // namespace

Result<Requirements> decide(const MachineFacts& machine, const KdumpConfig& config,
                            const InitramfsConfig& additions, std::vector<std::string> sysctls,
                            const DumpPair& pair, bool hands_keys_over) {
  KD_CHECK(refuse_network(config));
  KD_CHECK(check_lasting_target(machine));
  Requirements result;
  const VolumeKey key = volume_key(config, hands_keys_over);
  if (config.capture == "rootfs") {
    result.capture = kdinit::CaptureMode::kRootfs;
    KD_CHECK(add_root(machine, key, result));
  } else {
    KD_CHECK(add_target(machine, key, result));
    if (const Result<void> root = add_root(machine, key, result); !root) {
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
  bound_encrypted_pages(result);
  return result;
}

}  // namespace kd
