// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/kernel_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "builder/policy/command_line.h"
#include "builder/policy/dump_level.h"

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// What is allocated from the first page on until init runs, with all that the tuned command line
// leaves out: hash tables, per-CPU memory, slabs (a third of them for /sys), stacks, ACPI; and what
// kexec puts beside the kernel, 0.7 MiB. Debian's amd64 kernels on QEMU's PC with 1 GiB: the
// smallest crashkernel= that saves, in steps of 1 MiB, less what the model has for the kernel's
// image, its memory map and the initrd (bench/calibrate).
struct Work {
  std::string_view series;
  std::uint64_t unpacking;  // MiB
  std::uint64_t freed;      // MiB of init memory and alignment before init runs, less 2 for drivers
};
constexpr std::array<Work, 3> kMeasured = {{{"6.1", 13, 7}, {"6.12", 14, 5}, {"7.3", 16, 7}}};
// The most of the rows and 2 MiB, and the least: init code has 2.8 to 4.6 MiB, the decrypted part
// of .bss 2.
constexpr Work kUnmeasured = {"", 16 + 2, 5};

// Parameters of the tuned command line that spare something, for lines that lack them.
struct Saving {
  std::string_view parameter;
  std::uint64_t bytes;  // MiB
  std::string_view what;
  Version since, until;  // the kernels that have it
};
constexpr Version kAlways = {0, 0}, kForever = {1000, 0};
constexpr std::array<Saving, 6> kSavings = {{
    // 10,000 inodes with their names; from 6.6 on they are made when somebody looks.
    {"initcall_blacklist=tracer_init_tracefs", 8, "files of tracefs", kAlways, {6, 6}},
    // Two buffers of 2 MiB in one piece each, which a memory in pieces does not have.
    {kWithoutIntegrityPools, 10, "buffers for integrity metadata", kIntegrityPoolsSince, kForever},
    // Huge pages for the first chunk. A second one is tried at once, and given up.
    {"percpu_alloc=page", 2, "per-CPU memory in huge pages", kAlways, kForever},
    // An array of all sections that 52 bits reach; where the CPU has no five levels it is not
    // there.
    {"no5lvl", 2, "page tables of five levels", kAlways, kForever},
    {"lsm=capability", 2, "security modules", kAlways, kForever},
    {"cgroup_disable=memory", 1, "accounting", kAlways, kForever},
}};

// What a device takes, half of it for /sys, and how many the machine has on which kernels were
// measured. Of a Linux 6.12 124 PCI devices behind 4 bridges took 2.95 MiB, 199 processors that
// ACPI tells of 1.15 MiB. A server has some hundreds of both.
struct Devices {
  std::uint64_t each;
  std::uint64_t measured;
  std::string_view name;
};
constexpr Devices kPci = {24 << 10, 6, "PCI"}, kAcpi = {6 << 10, 56, "ACPI"};
constexpr std::uint64_t kMostDevices = 1 << 16;  // that are believed
constexpr std::uint64_t kStep = 32;

// Where nobody can read the file: more than any kernel of Debian has (52 MiB).
constexpr std::uint64_t kUnknownImage = 60 * kMiB;

std::string_view series_of(std::string_view version) {
  const std::size_t minor = version.find('.');
  if (minor == std::string_view::npos) return version;
  return version.substr(0, version.find_first_not_of("0123456789", minor + 1));
}

const Work& work_of(std::string_view version) {
  const auto* const row = std::ranges::find(kMeasured, series_of(version), &Work::series);
  return row == kMeasured.end() ? kUnmeasured : *row;
}

// A version that cannot be read has everything.
bool has(const Saving& saving, std::string_view kernel) {
  const std::optional<Version> version = parse_version(kernel);
  return !version || (*version >= saving.since && *version < saving.until);
}

}  // namespace

std::string work_source(std::string_view version) {
  if (work_of(version).series.empty()) {
    return fmt::format("derived: nobody has measured Linux {}", series_of(version));
  }
  return fmt::format("as measured for Linux {}", series_of(version));
}

KernelMemory kernel_memory(const KernelMemoryInput& input) {
  const bool known = input.image.memory > 0;
  const Work& work = work_of(input.version);
  KernelMemory memory{.image = input.image};
  const auto add = [&memory](std::uint64_t bytes, std::string_view what) {
    memory.unpacking += bytes;
    memory.source += fmt::format("{}{:.1f} {}", memory.source.empty() ? "" : ", ",
                                 static_cast<double>(bytes) / kMiB, what);
  };
  add(known ? input.image.memory : kUnknownImage,
      known ? "image" : "for an image that is not understood");
  add(work.unpacking * kMiB, fmt::format("at work ({})", work_source(input.version)));
  const std::vector<std::string> line = split_parameters(input.command_line);
  for (const Saving& saving : kSavings) {
    if (std::ranges::find(line, saving.parameter) == line.end() && has(saving, input.version)) {
      add(saving.bytes * kMiB, saving.what);
    }
  }
  const auto add_devices = [&](const Devices& devices, std::uint64_t number) {
    if (number <= devices.measured) return;
    // One that comes or goes is not to make an image stale.
    const std::uint64_t more =
        (std::min(number, kMostDevices) - devices.measured + kStep - 1) / kStep;
    const std::uint64_t bytes = more * kStep * devices.each;
    add(bytes, fmt::format("for {} {} devices", number, devices.name));
    memory.devices += bytes;
  };
  add_devices(kPci, input.pci_devices);
  add_devices(kAcpi, input.acpi_devices);
  memory.capturing = memory.unpacking - work.freed * kMiB;
  return memory;
}

std::uint64_t memory_map(std::uint64_t size, std::uint64_t end) {
  constexpr std::uint64_t kSection = kMemorySection;
  constexpr std::uint64_t kMap = kSection / 4096 * 64;
  static_assert(kMap == kMapOfLowMemory);
  constexpr std::uint64_t kCrashAlign = 16 * kMiB;
  if (end < size || size == 0) return (2 + (size + kSection - 1) / kSection) * kMap;
  const std::uint64_t first = (end - size) / kCrashAlign * kCrashAlign / kSection;
  const std::uint64_t sections = (end - 1) / kSection - first + 1;
  return ((first > 0 ? 1 : 0) + sections) * kMap;
}

std::string describe(const KernelMemory& memory) {
  std::string text = fmt::format("{} MiB unpacking, {} MiB capturing", memory.unpacking / kMiB,
                                 memory.capturing / kMiB);
  if (memory.starting > 0) text += fmt::format(", {} MiB starting", memory.starting / kMiB);
  if (memory.measured_peak > 0) text += fmt::format(", peak {} MiB", memory.measured_peak / kMiB);
  return fmt::format("{}: {}", text, memory.source);
}

}  // namespace kd
