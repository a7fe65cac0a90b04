// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/gather.h"

#include <sys/utsname.h>

#include <algorithm>
#include <charconv>

#include "builder/facts/array.h"
#include "builder/facts/block_devices.h"
#include "builder/facts/disk_integrity.h"
#include "builder/facts/dma_limits.h"
#include "builder/facts/encrypted_volume.h"
#include "builder/facts/filesystem_id.h"
#include "builder/facts/logical_volume.h"
#include "builder/facts/mount_table.h"
#include "builder/facts/reservation.h"
#include "builder/facts/system_text.h"

namespace kd {
namespace {

bool is_missing(const Error& error) {
  return error.system_error == std::errc::no_such_file_or_directory;
}

// Links resolved as far as the directory exists; the rest is as mkdir -p would make it.
Result<std::string> resolve_directory(const RootedReader& reader, const std::string& directory) {
  if (!directory.starts_with('/') || (directory + "/").find("/../") != std::string::npos) {
    return fail(ErrorKind::kUsage, "dump directory '{}': give an absolute path without \"..\"",
                directory);
  }
  std::string existing = directory, rest;
  while (existing.size() > 1 && existing.ends_with('/')) existing.pop_back();
  for (;;) {
    const Result<std::string> resolved = reader.resolve(existing.empty() ? "/" : existing);
    if (resolved) return rest.empty() || *resolved != "/" ? *resolved + rest : rest;
    if (!is_missing(resolved.error())) return in_context("dump directory", resolved.error());

    const std::size_t slash = existing.rfind('/');
    const std::string parent = existing.substr(0, slash), name = existing.substr(slash + 1);
    const auto names = reader.list(parent.empty() ? "/" : parent);
    if (names && std::find(names->begin(), names->end(), name) != names->end()) {
      return fail(ErrorKind::kUsage,
                  "dump directory '{}': {} is a link to nowhere; make what it points to", directory,
                  existing);
    }
    if (!name.empty() && name != ".") rest.insert(0, "/" + name);
    existing = parent;
  }
}

struct Mounts {
  std::vector<MountEntry> mountinfo;  // empty: fstab has to do
  std::vector<MountEntry> fstab;
  std::string prefix;  // where the root stands in mountinfo, "" in its own
};

// A root with the live proc mounted in it (chroot, installer) lists this machine's mounts, with the
// root's own path in front of those we look for.
std::string mount_prefix(const RootedReader& reader, const std::vector<MountEntry>& mountinfo) {
  const std::string root = reader.host_path("/").value_or("/");
  const bool live =
      root != "/" && std::any_of(mountinfo.begin(), mountinfo.end(), [&](const MountEntry& entry) {
        return entry.fs_type == "proc" && entry.mount_point == root + "/proc";
      });
  return live ? root : std::string();
}

Result<Mounts> read_mounts(const RootedReader& reader) {
  Mounts mounts;
  const Result<std::string> mountinfo = reader.read("/proc/self/mountinfo");
  if (!mountinfo && !is_missing(mountinfo.error())) return tl::unexpected(mountinfo.error());
  const Result<std::string> fstab = reader.read("/etc/fstab");
  if (!fstab && !is_missing(fstab.error())) return tl::unexpected(fstab.error());
  KD_TRY(mounts.mountinfo, parse_mountinfo(mountinfo.value_or("")));
  KD_TRY(mounts.fstab, parse_fstab(fstab.value_or("")));
  if (mounts.mountinfo.empty() && mounts.fstab.empty()) {
    return fail(ErrorKind::kFailed,
                "neither /proc/self/mountinfo nor /etc/fstab says what is mounted{}; mount proc "
                "there, or give a recorded machine with --facts",
                reader.host_path("/").value_or("/") == "/" ? "" : " below the given root");
  }
  mounts.prefix = mount_prefix(reader, mounts.mountinfo);
  return mounts;
}

Result<MountEntry> mount_of(const Mounts& mounts, const std::string& path) {
  const MountEntry* found = mounts.mountinfo.empty()
                                ? find_fstab_entry(mounts.fstab, path)
                                : find_mount(mounts.mountinfo, mounts.prefix + path);
  if (found == nullptr) {
    return fail(ErrorKind::kFailed, "{} lists no mount that holds {}",
                mounts.mountinfo.empty() ? "/etc/fstab" : "/proc/self/mountinfo", path);
  }
  MountEntry entry = *found;
  if (entry.root.empty()) entry.root = "/";
  if (entry.mount_point.size() > mounts.prefix.size()) {
    entry.mount_point.erase(0, mounts.prefix.size());
  } else {
    // The root is a directory inside this mount, or the mount point itself.
    const std::string inside =
        entry.mount_point == "/" ? mounts.prefix : mounts.prefix.substr(entry.mount_point.size());
    if (!inside.empty()) entry.root = entry.root == "/" ? inside : entry.root + inside;
    entry.mount_point = "/";
  }
  return entry;
}

const MountEntry* fstab_entry(const Mounts& mounts, const std::string& mount_point) {
  const MountEntry* entry = find_fstab_entry(mounts.fstab, mount_point);
  return entry != nullptr && entry->mount_point == mount_point ? entry : nullptr;
}

DumpMount describe_mount(const RootedReader& reader, const Mounts& mounts, const MountEntry& entry,
                         DeviceMap& devices) {
  DumpMount mount{.mount_point = entry.mount_point,
                  .root = entry.root,
                  .fs_type = entry.fs_type,
                  .source = entry.source,
                  .options = entry.options,
                  .device = find_block_device(reader, entry.number, entry.source),
                  .uuid = {},
                  .journal = {},
                  .members = {},
                  .container = {}};
  if (!mount.device.empty()) {
    add_block_device(reader, mount.device, devices);
    FilesystemId id = identify_filesystem(reader, mount.device);
    mount.uuid = std::move(id.uuid);
    mount.journal = std::move(id.journal);
    mount.container = std::move(id.container);
    if (std::optional<BtrfsFacts> btrfs = find_btrfs(reader, mount.device)) {
      if (mount.uuid.empty()) mount.uuid = btrfs->uuid;
      for (const std::string& name : btrfs->devices) add_block_device(reader, name, devices);
      if (btrfs->devices.size() > 1) mount.members = std::move(btrfs->devices);
    }
  }
  constexpr std::string_view kTag = "UUID=";
  const MountEntry* fstab = fstab_entry(mounts, mount.mount_point);
  if (mount.uuid.empty() && fstab != nullptr && fstab->source.starts_with(kTag)) {
    mount.uuid = fstab->source.substr(kTag.size());
    std::erase(mount.uuid, '"');
  }
  return mount;
}

// An overlay there is one of systemd-sysext: / below it has all that a boot needs.
std::string usr_source(const Mounts& mounts) {
  const bool live = !mounts.mountinfo.empty();
  for (const MountEntry& entry : live ? mounts.mountinfo : mounts.fstab) {
    const std::string usr = live ? mounts.prefix + "/usr" : "/usr";
    if (entry.mount_point == usr && entry.fs_type != "overlay") return entry.source;
  }
  return {};
}

std::string read_line(const FileReader& reader, std::string_view path) {
  std::string text = reader.read(path).value_or("");
  while (text.ends_with('\n') || text.ends_with('\0')) text.pop_back();
  return text;
}

// Without virtual functions, which the running system made and a capture kernel does not.
std::uint64_t count_devices(const FileReader& reader, std::string_view bus) {
  std::uint64_t count = 0;
  for (const std::string& name : reader.list(bus).value_or(std::vector<std::string>{})) {
    if (!reader.exists(fmt::format("{}/{}/physfn", bus, name))) ++count;
  }
  return count;
}

}  // namespace

Result<MachineFacts> gather_machine(const RootedReader& reader, const std::string& dump_directory) {
  MachineFacts facts;
  struct utsname system {};
  if (::uname(&system) != 0) return fail_errno(errno, "uname");
  facts.architecture = system.machine;
  KD_TRY(facts.dump_directory, resolve_directory(reader, dump_directory));

  DeviceMap devices;
  KD_TRY(Mounts mounts, read_mounts(reader));
  KD_TRY(MountEntry dump, mount_of(mounts, facts.dump_directory));
  if (dump.fs_type == "autofs") {
    // An automount that nobody has used yet mounts its file system when it is opened.
    static_cast<void>(reader.list(facts.dump_directory));
    KD_TRY(mounts, read_mounts(reader));
    KD_TRY(dump, mount_of(mounts, facts.dump_directory));
  }
  facts.dump_mount = describe_mount(reader, mounts, dump, devices);
  if (const Result<MountEntry> root = mount_of(mounts, "/"); root && dump.mount_point != "/") {
    facts.root_mount = describe_mount(reader, mounts, *root, devices);
  }
  facts.usr_source = usr_source(mounts);
  read_arrays(reader, devices);
  read_volumes(reader, devices);
  read_encrypted_volumes(reader, devices);
  for (auto& [name, device] : devices) facts.devices.push_back(std::move(device));

  facts.watchdogs = find_watchdogs(reader);
  const Reservation reservation = read_reservation(reader);
  facts.reservation = reservation.bytes;
  facts.reservation_end = reservation.end;
  facts.reservation_cma = reservation.cma;
  facts.dma_limits = read_dma_limits(reader);
  if (reservation.high) facts.dma_limits.emplace_back(kHigh);
  facts.disk_integrity = read_disk_integrity(reader);
  facts.ram =
      parse_ram(reader.read("/proc/iomem").value_or(""), reader.read("/proc/meminfo").value_or(""));
  facts.pci_devices = count_devices(reader, "/sys/bus/pci/devices");
  facts.acpi_devices = count_devices(reader, "/sys/bus/acpi/devices");
  facts.command_line = read_line(reader, "/proc/cmdline");
  facts.loaded_modules = parse_loaded_modules(reader.read("/proc/modules").value_or(""));
  facts.time_zone = parse_time_zone(reader.read("/etc/localtime").value_or(""));
  // Through the gate for records, so that a live machine and its record are the same facts.
  if (Result<void> checked = check_machine(facts); !checked) {
    return in_context("this machine", std::move(checked).error());
  }
  return facts;
}

}  // namespace kd
