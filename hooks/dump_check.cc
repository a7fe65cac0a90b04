// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/dump_check.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <fstream>

#include "builder/facts/dump_program.h"
#include "builder/facts/gather.h"
#include "builder/facts/logical_volume.h"
#include "builder/facts/mount_table.h"
#include "builder/facts/system_text.h"
#include "builder/init/memory.h"
#include "hooks/image.h"

namespace kd {
namespace {

// Empty where it cannot be told.
std::string file_system_of(const RootedReader& reader, const std::string& directory) {
  const auto mounts = parse_mountinfo(reader.read("/proc/self/mountinfo").value_or(""));
  if (!mounts) return {};
  const MountEntry* mount = find_mount(*mounts, reader.resolve(directory).value_or(directory));
  return mount == nullptr ? std::string() : mount->fs_type;
}

// Arguments that cannot be read are refused elsewhere, with the reason.
DumpArguments arguments_for(const KdumpConfig& config, const DumpPair& pair) {
  return choose_dump_arguments(config, pair).value_or(DumpArguments{});
}

std::string mebibytes(std::uint64_t bytes) { return fmt::format("{} MiB", bytes >> 20); }

// vmcoreinfo has "OSRELEASE=7.3.4-amd64\n" (kernel/vmcore_info.c). It lies in the notes in front of
// the memory, behind those of every CPU: 356 bytes each on x86-64.
std::string crashed_kernel(const std::string& vmcore) {
  constexpr std::size_t kNotes = std::size_t{1} << 20;
  constexpr std::string_view kKey = "OSRELEASE=";  // the first line: no newline in front of it
  std::ifstream file(vmcore, std::ios::binary);
  std::string start(kNotes, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  std::size_t at = start.find(kKey);
  if (at == std::string::npos) return {};
  at += kKey.size();
  const std::size_t end = start.find('\n', at);
  return end == std::string::npos ? std::string() : start.substr(at, end - at);
}

std::string running_kernel(const FileReader& reader) {
  std::string release = reader.read("/proc/sys/kernel/osrelease").value_or("");
  while (release.ends_with('\n')) release.pop_back();
  return release;
}

}  // namespace

std::uint64_t free_space(const RootedReader& reader, const std::string& directory) {
  const Result<std::string> path = reader.host_path(directory);
  struct statvfs info {};
  if (!path || ::statvfs(path->c_str(), &info) != 0) return 0;
  // f_bfree: root writes the dump.
  const std::uint64_t space = std::uint64_t{info.f_bfree} * info.f_frsize;
  const Result<MachineFacts> machine = gather_machine(reader, directory);
  return machine ? std::min(space, pool_room(*machine, machine->dump_mount.device)) : space;
}

DumpCheck check_dump(const Context& context, const KdumpConfig& config, std::string_view running,
                     std::string_view capture, bool direct) {
  DumpCheck check{.makedumpfile = makedumpfile_version(context.reader),
                  .running = std::string(running),
                  .capture = std::string(capture),
                  .built_for = capture.empty() ? "" : image_is_for(context.reader, capture),
                  .direct = direct,
                  .for_running = {},
                  .for_image = {},
                  .directory = config.core_dir,
                  .fs_type = file_system_of(context.reader, config.core_dir)};
  check.for_running = arguments_for(config, {check.makedumpfile, check.running});
  check.for_image = arguments_for(config, {check.makedumpfile, check.built_for});
  const std::string meminfo = context.reader.read("/proc/meminfo").value_or("");
  check.ram = parse_ram(context.reader.read("/proc/iomem").value_or(""), meminfo);
  const kdinit::Memory memory = kdinit::parse_meminfo(meminfo);
  check.memory_in_use = (memory.total - std::min(memory.free, memory.total)) * 1024;
  check.space = free_space(context.reader, config.core_dir);
  return check;
}

std::vector<std::string> dump_problems(const DumpCheck& check) {
  std::vector<std::string> problems;
  const DumpArguments& dump = check.for_running;
  if (dump.unreadable) problems.push_back(dump.note);
  // In the real root the level is chosen when the dump is there.
  if (check.direct && !check.capture.empty() && dump.larger && !check.for_image.larger) {
    problems.push_back(fmt::format(
        "the image of {} would filter the memory of {} too much: {}; kdump-mkinitrd {} builds the "
        "image of the running kernel, kdump-config reload loads it",
        check.capture, check.running, dump.note, check.running));
  }
  if (dump.larger && check.space != 0 && check.space < check.memory_in_use) {
    problems.push_back(
        fmt::format("a dump of this kernel gets as large as the memory in use, {} before it is "
                    "compressed, and {} has {} free; make room there or set KDUMP_COREDIR to a "
                    "larger file system",
                    mebibytes(check.memory_in_use), check.directory, mebibytes(check.space)));
  }
  return problems;
}

std::vector<std::string> dump_notes(const DumpCheck& check) {
  std::vector<std::string> notes;
  if (check.for_running.larger) notes.push_back(check.for_running.note);
  if (std::string note = largest_file_note(check.fs_type, check.ram); !note.empty()) {
    notes.push_back(std::move(note));
  }
  return notes;
}

std::string describe_dump(const DumpCheck& check) {
  std::string text = fmt::format(
      "makedumpfile {}, {}", check.makedumpfile.empty() ? "of unknown version" : check.makedumpfile,
      check.for_running.first.empty() ? "without arguments"
                                      : fmt::format("{}", fmt::join(check.for_running.first, " ")));
  const std::string newest = newest_kernel_note({check.makedumpfile, check.running});
  return newest.empty() ? text : text + "; " + newest;
}

Result<DumpArguments> arguments_for_vmcore(const FileReader& reader, const KdumpConfig& config,
                                           const std::string& vmcore) {
  const std::string crashed = crashed_kernel(vmcore);
  return choose_dump_arguments(
      config, {makedumpfile_version(reader), crashed.empty() ? running_kernel(reader) : crashed});
}

}  // namespace kd
