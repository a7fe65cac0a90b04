// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/command_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "builder/facts/disk_integrity.h"
#include "builder/policy/dump_level.h"

namespace kd {
namespace {

// What the running kernel may need and the capture kernel must not get.
struct Harmful {
  std::string_view name;  // as parameter_name() spells it
  std::string_view reason;
  std::string_view only_with = {};  // this word in the list of its value; empty: always
};
constexpr Harmful kHarmful[] = {
    {"crashkernel", "would reserve memory again inside the reservation"},
    {"elfcorehdr", "kexec adds the right one"},
    {"hugepages", "takes memory the reservation does not have"},
    {"hugepagesz", "belongs to hugepages="},
    {"default_hugepagesz", "belongs to hugepages="},
    {"sysctl.vm.nr_hugepages", "takes memory the reservation does not have"},
    {"sysctl.vm.min_free_kbytes", "keeps memory from the capture that needs all of it"},
    {"hugetlb_cma", "takes memory the reservation does not have"},
    {"cma", "takes memory the reservation does not have"},
    {"abm", "of the boot loader, names the image of the running kernel"},
    {"BOOT_IMAGE", "of the boot loader, names the image of the running kernel"},
    {"initrd", "of the boot loader, kexec passes the initrd"},
    {"rdinit", "would be started in place of /init of the capture image"},
    {"resume", "a capture kernel must not touch the hibernation image"},
    {"resume_offset", "belongs to resume="},
    {"log_buf_len", "a large log buffer is memory of the reservation"},
    {"trace_buf_size", "trace buffers are memory of the reservation"},
    {"ftrace", "tracing from boot on takes memory and time"},
    {"trace_event", "tracing from boot on takes memory and time"},
    {"slub_debug", "debug data multiply the memory of every object"},
    {"slab_debug", "debug data multiply the memory of every object"},
    {"page_owner", "takes memory for every page"},
    {"page_poison", "writes all memory once more, while the machine is down"},
    {"movablecore", "keeps memory from the kernel that needs all of it"},
    {"kernelcore", "keeps memory from the kernel that needs all of it"},
    {"swiotlb", "bounce buffers sized for the whole machine do not fit"},
    {"panic_on_warn", "a harmless warning would end the capture"},
    {"panic_on_taint", "a module that taints the kernel would end the capture"},
    {"softlockup_panic", "a slow disk would end the capture"},
    {"hung_task_panic", "a slow disk would end the capture"},
    {"nmi_watchdog", "a slow disk would end the capture", "panic"},
    {"kgdbwait", "would wait for a debugger with the machine down"},
    {"quiet", "the console is where a failing capture is seen"},
    {"splash", "the console is where a failing capture is seen"},
};

// When a parameter of the profile is used.
struct Situation {
  bool direct = false;  // the image saves the dump itself, no distribution is booted
  bool usb_needed = false;
  bool lockdown = false;
  bool before_6_6 = false;
  bool integrity_pools_unused = false;
  bool four_levels_reach = false;  // all memory, with page tables of four levels
};
// Four levels map 46 bits of physical addresses; half of that leaves room for holes.
constexpr std::uint64_t kReachOfFourLevels = std::uint64_t{1} << 45;
using Condition = bool (*)(const Situation&);
constexpr Condition kAlways = [](const Situation&) { return true; };
constexpr Condition kUnlessUsb = [](const Situation& now) { return !now.usb_needed; };
constexpr Condition kDirect = [](const Situation& now) { return now.direct; };

struct ProfileRow {
  std::string_view parameter;
  std::string_view reason;  // with the memory it saved in a 128M capture kernel, Linux 6.1, x86-64
  Condition condition;
};

// On every line: what fails in a capture must not keep the machine down.
constexpr ProfileRow kPanic = {"panic=10", "a capture kernel that panics restarts the machine",
                               kAlways};
constexpr ProfileRow kCrashReboot = {"systemd.crash_reboot",
                                     "a systemd that crashes in the real root restarts the machine",
                                     kAlways};

constexpr ProfileRow kTuned[] = {
    {"reset_devices", "drivers reset what the crashed kernel left running", kAlways},
    {"nr_cpus=1", "one CPU: no memory for the others, no trouble waking them", kAlways},
    {"irqpoll", "interrupts the crashed kernel left unrouted are found", kAlways},
    {"usbcore.nousb", "no USB drivers; nothing the dump needs is on USB", kUnlessUsb},
    kPanic,
    kCrashReboot,
    {"initcall_blacklist=tracer_init_tracefs",
     "8.6 MB: the files of tracefs are not made (lazy from 6.6 on)",
     [](const Situation& now) { return now.before_6_6; }},
    // Two buffers of 2 MiB in one piece each, without which the kernel panics. Without them a disk
    // that has integrity metadata cannot even be read.
    {kWithoutIntegrityPools, "10 MiB: no buffers for integrity metadata, which no disk here has",
     [](const Situation& now) { return now.integrity_pools_unused; }},
    {"initcall_blacklist=slab_sysfs_init", "0.6 MB: no files for every cache in /sys/kernel/slab",
     kDirect},
    {"no5lvl", "2 MiB where the CPU has five levels: the table of memory sections for 52 bits",
     [](const Situation& now) { return now.four_levels_reach; }},
    {"cryptomgr.notests", "no self-tests, whose memory is needed where there is least of it",
     kDirect},
    {"percpu_alloc=page", "3.8 MB: no rounding of per-CPU memory to 2 MiB", kAlways},
    {"cgroup_disable=memory", "0.5 MB with the next: no accounting for every page", kDirect},
    {"cgroup.memory=nokmem", "see cgroup_disable=memory", kDirect},
    // Without lockdown in the list the capture kernel would be more open than the running one.
    {"lsm=capability", "1.5 MB with the next three: no security modules for one program",
     [](const Situation& now) { return now.direct && !now.lockdown; }},
    {"apparmor=0", "see lsm=capability", kDirect},
    {"audit=0", "see lsm=capability", kDirect},
    {"ipv6.disable=1", "see lsm=capability; the dump does not leave the machine", kDirect},
    {"numa=off", "one node: no memory structures for the others", kAlways},
    {"transparent_hugepage=never", "huge pages waste a small memory", kAlways},
    {"novmcoredd", "no device dumps of unknown size", kAlways},
    {"hest_disable", "no error source pools, up to 60 MB on large servers", kAlways},
    {"nokaslr", "nothing to hide here, and a small memory stays in one piece", kAlways},
    // With a tmpfs, unpacking ends at half of the memory; a root= parameter has the same effect.
    {"rootfstype=ramfs", "the image may use all memory while it is unpacked", kDirect},
};

constexpr ProfileRow kStock[] = {
    {"reset_devices", "as kdump-tools", kAlways},
    {"nr_cpus=1", "as kdump-tools", kAlways},
    {"irqpoll", "as kdump-tools", kAlways},
    // kdump-tools has it always, and loses every dump to a USB disk.
    {"usbcore.nousb", "as kdump-tools", kUnlessUsb},
    kPanic,
    kCrashReboot,
};

constexpr std::string_view kDumpUnit = "systemd.unit=kdump-tools-dump.service";

// What is no version is not before any.
bool is_before(std::string_view kernel, const Version& limit) {
  const std::optional<Version> version = parse_version(kernel);
  return version && *version < limit;
}

// Whether the list of values of a parameter has `word`, as "panic" in nmi_watchdog=panic,1.
bool has_word(std::string_view parameter, std::string_view word) {
  if (word.empty()) return true;
  std::string values(parameter.substr(std::min(parameter.find('='), parameter.size())));
  std::ranges::replace_if(
      values, [](char c) { return c == '=' || c == '"'; }, ',');
  return (values + ',').find(fmt::format(",{},", word)) != std::string::npos;
}

// KDUMP_CMDLINE_APPEND of kdump-tools knows neither of them; one that names them is obeyed.
void add_restarts(std::vector<CommandLineRow>& added) {
  for (const ProfileRow& row : {kPanic, kCrashReboot}) {
    const bool there = std::ranges::any_of(added, [&](const CommandLineRow& own) {
      return parameter_name(own.parameter) == parameter_name(row.parameter);
    });
    if (!there) added.push_back({std::string(row.parameter), std::string(row.reason)});
  }
}

// Appends the harmless parameters of the running kernel to `parameters`.
void take_running(std::string_view line, std::vector<std::string>& parameters,
                  std::vector<CommandLineRow>& removed) {
  const std::vector<std::string> all = split_parameters(line);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] == "--") {
      // The kernel reads no parameters behind it, and ours come last.
      removed.push_back(
          {fmt::format("{}", fmt::join(all.begin() + static_cast<long>(i), all.end(), " ")),
           "for init of the running system; the kernel stops reading there"});
      return;
    }
    const std::string name = parameter_name(all[i]);
    const auto* const row = std::ranges::find(kHarmful, std::string_view(name), &Harmful::name);
    if (row == std::end(kHarmful) || !has_word(all[i], row->only_with)) {
      parameters.push_back(all[i]);
    } else {
      removed.push_back({all[i], std::string(row->reason)});
    }
  }
}

std::vector<CommandLineRow> profile_rows(const CommandLineInputs& inputs) {
  const Situation now{.direct = !inputs.rootfs,
                      .usb_needed = inputs.usb_needed,
                      .lockdown = inputs.lockdown,
                      .before_6_6 = is_before(inputs.kernel, {6, 6}),
                      .integrity_pools_unused =
                          inputs.no_integrity && !is_before(inputs.kernel, kIntegrityPoolsSince),
                      .four_levels_reach = inputs.ram != 0 && inputs.ram <= kReachOfFourLevels};
  std::vector<CommandLineRow> rows;
  const auto take = [&](const ProfileRow& row) {
    if (row.condition(now)) rows.push_back({std::string(row.parameter), std::string(row.reason)});
  };
  const bool stock = inputs.profile == "stock";
  if (stock) {
    std::ranges::for_each(kStock, take);
  } else {
    std::ranges::for_each(kTuned, take);
  }
  // Second, as kdump-tools has it. Always there: init hands over when it could save nothing itself.
  rows.insert(rows.begin() + 1,
              {std::string(kDumpUnit), inputs.rootfs ? "the real root saves the dump"
                                                     : "the real root tries when init fails"});
  return rows;
}

void add_listed(std::string_view list, std::set<std::string>& names) {
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(name.size() + 1, list.size()));
    if (!name.empty()) names.emplace(name);
  }
}

}  // namespace

std::vector<std::string> split_parameters(std::string_view line) {
  std::vector<std::string> parameters;
  std::string current;
  bool quoted = false;
  const auto finish = [&] {
    if (quoted) current += '"';
    quoted = false;
    if (!current.empty()) parameters.push_back(std::move(current));
    current.clear();
  };
  for (const char c : line) {
    // Control characters as well: a NUL would end the text early.
    const bool blank = static_cast<unsigned char>(c) <= ' ';
    if (blank && !quoted) {
      finish();
      continue;
    }
    if (c == '"') quoted = !quoted;
    current += blank ? ' ' : c;
  }
  finish();
  return parameters;
}

std::string parameter_name(std::string_view parameter) {
  if (parameter.starts_with('"')) parameter.remove_prefix(1);
  std::string name(parameter.substr(0, parameter.find_first_of("=\"")));
  std::ranges::replace(name, '-', '_');
  return name;
}

std::set<std::string> modprobe_blacklist(std::string_view command_line) {
  constexpr std::string_view kParameter = "modprobe.blacklist=";
  std::set<std::string> names;
  for (const std::string& parameter : split_parameters(command_line)) {
    if (parameter == "--") break;
    if (parameter.starts_with(kParameter)) {
      add_listed(std::string_view(parameter).substr(kParameter.size()), names);
    }
  }
  return names;
}

std::set<std::string> module_blacklist(std::string_view command_line) {
  std::set<std::string> names;
  for (std::string& parameter : split_parameters(command_line)) {
    if (parameter == "--") break;
    if (parameter_name(parameter) != "module_blacklist") continue;
    std::erase(parameter, '"');
    const std::size_t equals = parameter.find('=');
    if (equals == std::string::npos) continue;
    names.clear();
    add_listed(std::string_view(parameter).substr(equals + 1), names);
  }
  return names;
}

bool usb_needed(const MachineFacts& machine) {
  if (machine.dump_mount.device.empty()) return true;
  return std::ranges::any_of(machine.devices, [](const BlockDevice& device) {
    return std::ranges::find(device.chain, "usb", &BusNode::subsystem) != device.chain.end();
  });
}

CommandLineInputs command_line_inputs(const MachineFacts& machine, const KdumpConfig& config,
                                      std::string_view kernel) {
  return {.running = machine.command_line,
          .fixed = config.cmdline,
          .append = config.cmdline_append,
          .profile = config.cmdline_profile,
          .rootfs = config.capture == "rootfs",
          .kernel = std::string(kernel),
          .usb_needed = usb_needed(machine),
          .no_integrity = machine.disk_integrity == kNoIntegrity,
          .ram = machine.ram};
}

CaptureCommandLine capture_command_line(const CommandLineInputs& inputs) {
  CaptureCommandLine result;
  std::vector<std::string> parameters;
  if (inputs.fixed.empty()) {
    take_running(inputs.running, parameters, result.removed);
  } else {
    parameters = split_parameters(inputs.fixed);
  }
  if (inputs.append.empty()) {
    result.added = profile_rows(inputs);
  } else {
    for (std::string& parameter : split_parameters(inputs.append)) {
      result.added.push_back({std::move(parameter), "KDUMP_CMDLINE_APPEND"});
    }
    add_restarts(result.added);
  }
  for (const CommandLineRow& row : result.added) parameters.push_back(row.parameter);
  result.text = fmt::format("{}", fmt::join(parameters, " "));
  return result;
}

}  // namespace kd
