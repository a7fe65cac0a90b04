// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/state.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "builder/facts/system_text.h"

namespace kd {
namespace {

constexpr std::string_view kImagePrefix = "initrd.img-";

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

bool says_one(const FileReader& reader, std::string_view path) {
  return trimmed(reader.read(path).value_or("")) == "1";
}

bool is_regular(const FileReader& reader, std::string_view path) {
  const Result<FileStatus> status = reader.status(path);
  return status && status->type == FileType::kRegular && status->size > 0;
}

// An EFI variable of one byte: efivarfs puts four bytes of attributes in front. -1 without it.
int efi_byte(const FileReader& reader, std::string_view name) {
  constexpr std::string_view kDirectory = "/sys/firmware/efi/efivars";
  for (const std::string& entry : reader.list(kDirectory).value_or(std::vector<std::string>{})) {
    if (!entry.starts_with(name) || entry.substr(name.size(), 1) != "-") continue;
    const std::string value = reader.read(fmt::format("{}/{}", kDirectory, entry)).value_or("");
    if (value.size() == 5) return static_cast<unsigned char>(value[4]);
  }
  return -1;
}

// In setup mode keys can be enrolled by anybody and nothing is enforced.
std::string file_load_only(const FileReader& reader) {
  if (efi_byte(reader, "SecureBoot") == 1 && efi_byte(reader, "SetupMode") == 0) {
    return "Secure Boot";
  }
  if (says_one(reader, "/sys/kernel/security/securelevel")) return "securelevel";
  // "none [integrity] confidentiality"
  const std::string modes = reader.read("/sys/kernel/security/lockdown").value_or("");
  const std::size_t open = modes.find('['), close = modes.find(']', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  const std::string mode = modes.substr(open + 1, close - open - 1);
  return mode == "none" ? "" : "lockdown=" + mode;
}

// The first "Crash kernel" range; without root rights all addresses are 0.
std::string crash_address(std::string_view iomem) {
  const std::size_t name = iomem.find(" : Crash kernel");
  if (name == std::string_view::npos) return {};
  const std::size_t line = iomem.rfind('\n', name);
  std::string_view range = iomem.substr(line == std::string_view::npos ? 0 : line + 1);
  range.remove_prefix(std::min(range.find_first_not_of(" 0"), range.size()));
  const std::string_view start = range.substr(0, range.find('-'));
  return start.empty() ? "" : fmt::format("0x{}", start);
}

bool has_crashkernel(std::string_view command_line) {
  for (std::size_t at = command_line.find("crashkernel="); at != std::string_view::npos;
       at = command_line.find("crashkernel=", at + 1)) {
    if (at == 0 || command_line[at - 1] == ' ' || command_line[at - 1] == '"') return true;
  }
  return false;
}

}  // namespace

std::uint64_t usable_reservation(const FileReader& reader, std::string_view kexec_args,
                                 bool loaded) {
  const Reservation reservation = read_reservation(reader);
  const std::uint64_t wanted = usable_reservation(reservation.bytes, reservation.cma, kexec_args);
  if (!loaded) return wanted;
  // kexec_file_load(2) may have failed, and the kernel was loaded without the CMA then.
  const std::string command = reader.read(kLoadedMark).value_or("");
  const std::string_view words =
      std::string_view(command).substr(0, command.find("--command-line="));
  return std::min(wanted, usable_reservation(reservation.bytes, reservation.cma, words));
}

bool crash_kernel_loaded(const FileReader& reader) {
  return read_crash_attribute(reader, "loaded").value_or("") == "1";
}

Result<KdumpState> read_state(const FileReader& reader, std::string_view config_path) {
  KdumpState state;
  KD_TRY(state.config, read_kdump_config(reader, config_path));
  KD_TRY(std::string release, reader.read("/proc/sys/kernel/osrelease"));
  state.running = trimmed(std::move(release));
  KD_TRY(std::string line, reader.read("/proc/cmdline"));
  state.command_line = trimmed(std::move(line));
  state.crashkernel = has_crashkernel(state.command_line);
  const Result<std::string> loaded = read_crash_attribute(reader, "loaded");
  state.supported = loaded.has_value();
  state.loaded = loaded.value_or("") == "1";
  state.reservation = usable_reservation(reader, state.config.kexec_args, state.loaded);
  const std::string iomem = reader.read("/proc/iomem").value_or("");
  state.ram = parse_ram(iomem, reader.read("/proc/meminfo").value_or(""));
  state.crash_address = crash_address(iomem);
  state.firmware_dump = says_one(reader, "/sys/kernel/fadump_enabled") ||
                        says_one(reader, "/sys/kernel/fadump/enabled");
  state.file_load_only = file_load_only(reader);
  state.follows_cpus = says_one(reader, "/sys/devices/system/cpu/crash_hotplug");
  state.follows_memory = says_one(reader, "/sys/devices/system/memory/crash_hotplug");
  return state;
}

std::vector<std::string> kernel_files(const FileReader& reader, std::string_view version) {
  std::vector<std::string> files;
  if (!is_kernel_version(version)) return files;
  for (const std::string& path :
       {fmt::format("/boot/vmlinuz-{}", version), fmt::format("/boot/vmlinux-{}", version),
        fmt::format("/usr/lib/modules/{}/vmlinuz", version),
        fmt::format("/lib/modules/{}/vmlinuz", version)}) {
    if (is_regular(reader, path)) files.push_back(path);
  }
  return files;
}

bool is_installed(const FileReader& reader, std::string_view version) {
  return is_kernel_version(version) && (reader.exists(fmt::format("/lib/modules/{}", version)) ||
                                        reader.exists(fmt::format("/usr/lib/modules/{}", version)));
}

std::vector<std::string> installed_versions(const FileReader& reader) {
  std::set<std::string> names;
  for (const std::string_view modules : {"/lib/modules", "/usr/lib/modules"}) {
    for (std::string& name : reader.list(modules).value_or(std::vector<std::string>{})) {
      if (!kernel_files(reader, name).empty()) names.insert(std::move(name));
    }
  }
  std::vector<std::string> versions(names.begin(), names.end());
  std::ranges::sort(versions, newer_release);
  return versions;
}

std::string image_path(std::string_view version) {
  return fmt::format("{}/{}{}", kDataDir, kImagePrefix, version);
}

std::string manifest_path(std::string_view version) { return image_path(version) + ".manifest"; }

bool has_image(const FileReader& reader, std::string_view version) {
  return is_kernel_version(version) && is_regular(reader, image_path(version));
}

bool is_direct_image(const FileReader& reader, std::string_view version) {
  return is_regular(reader, manifest_path(version));
}

std::vector<std::string> usable_versions(const FileReader& reader) {
  std::vector<std::string> versions;
  for (const std::string& name : reader.list(kDataDir).value_or(std::vector<std::string>{})) {
    if (!name.starts_with(kImagePrefix) || name.ends_with(".manifest") || name.ends_with(".new")) {
      continue;
    }
    const std::string version = name.substr(kImagePrefix.size());
    if (has_image(reader, version) && !kernel_files(reader, version).empty()) {
      versions.push_back(version);
    }
  }
  std::ranges::sort(versions, newer_release);
  return versions;
}

}  // namespace kd
