// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "builder/facts/bzimage.h"
#include "builder/facts/gather.h"
#include "builder/policy/network_target.h"
#include "hooks/encrypted_root.h"
#include "hooks/image.h"
#include "hooks/kexec_command.h"
#include "hooks/load.h"

namespace kd {
namespace {

// COMMAND_LINE_SIZE of x86-64 and arm64 with its NUL, less what kexec appends
// (" elfcorehdr=0x" and up to 16 digits).
constexpr std::size_t kMaxCommandLine = 2048 - 1 - 30;
// What the kernel appends when it hands keys over: " dmcryptkeys=0x" and 16 digits.
constexpr std::size_t kKeysParameter = 31;

bool is_default(const std::string& configured, std::string_view link) {
  return configured.empty() || configured == link;
}

Result<std::string> usable_version(const RootedReader& reader, const KdumpState& state,
                                   const KernelChoice& choice, PlanFor purpose) {
  const bool own_initrd = !is_default(state.config.initrd, kInitrdLink);
  for (const std::string& version : {choice.version, state.running}) {
    if (!kernel_files(reader, version).empty() &&
        (own_initrd || purpose == PlanFor::kTest || has_image(reader, version))) {
      return version;
    }
  }
  const std::vector<std::string> versions = usable_versions(reader);
  if (!own_initrd && !versions.empty()) return versions.front();
  return fail(ErrorKind::kKernelNotFound,
              "no kernel with an image: neither {} nor another kernel has both a file in /boot and "
              "an image in {}; kdump-mkinitrd {} builds one",
              choice.version, kDataDir, choice.version);
}

std::string through_link(const CheckedLink& link) {
  return link.state == LinkState::kRight ? link.path : link.wanted;
}

// The files of the plan: configured ones, else the links, else - when something is in the way of a
// link or /var cannot be written - what the links should lead to.
Result<void> choose_files(const Context& context, const KdumpState& state,
                          const KernelChoice& choice, PlanFor purpose, LoadPlan& plan) {
  const KdumpConfig& config = state.config;
  const bool own_kernel = !is_default(config.kernel, kKernelLink);
  const bool own_initrd = !is_default(config.initrd, kInitrdLink);
  if (!own_kernel) {
    KD_TRY(plan.version, usable_version(context.reader, state, choice, purpose));
    for (const CheckedLink& link : check_links(context.reader, config, plan.version)) {
      (link.path == kKernelLink ? plan.kernel : plan.initrd) = through_link(link);
    }
  }
  if (own_kernel) plan.kernel = config.kernel;
  if (own_initrd) plan.initrd = config.initrd;
  // As in kdump-tools, a kernel of its own without KDUMP_INITRD is loaded without one.
  if (own_kernel && config.initrd == kInitrdLink) plan.initrd = config.initrd;

  const auto resolve = [&](std::string_view name, const std::string& path,
                           std::string& file) -> Result<void> {
    Result<std::string> target = context.reader.resolve(path);
    if (!target) {
      return fail(ErrorKind::kFailed, "{}: {} does not exist: {}", context.config_path, name, path);
    }
    file = *std::move(target);
    return {};
  };
  KD_CHECK(resolve("KDUMP_KERNEL", plan.kernel, plan.kernel_file));
  if (purpose == PlanFor::kTest && !plan.version.empty() &&
      plan.initrd == image_path(plan.version) && !has_image(context.reader, plan.version)) {
    plan.initrd_file = plan.initrd;
    plan.direct = config.capture == "direct";
    return {};
  }
  if (!plan.initrd.empty()) KD_CHECK(resolve("KDUMP_INITRD", plan.initrd, plan.initrd_file));
  plan.direct = config.capture == "direct" && context.reader.exists(plan.initrd_file + ".manifest");
  return {};
}

Result<bool> is_elf_kernel(const Context& context, const std::string& path) {
  KD_TRY(const FileStatus file, context.reader.status(path));
  KD_TRY(const std::string start, read_start(context.reader, path));
  if (is_bzimage(start)) {
    const Result<BzImage> header = parse_bzimage(start, file.size);
    if (header && !header->relocatable) {
      return fail(ErrorKind::kTargetNotSupported,
                  "{} is not relocatable and cannot run in the reservation; it needs "
                  "CONFIG_RELOCATABLE=y",
                  path);
    }
  }
  return start.starts_with(
      "\x7f"
      "ELF");
}

// KDUMP_KERNEL_VERSION beside a file that may be of another kernel.
Result<void> refuse_two_kernels(const KdumpConfig& config) {
  const std::string& setting = config.kernel_version;
  if (setting != "running" && !is_default(config.kernel, kKernelLink)) {
    return fail(ErrorKind::kUsage,
                "{}: KDUMP_KERNEL={} is one kernel and KDUMP_KERNEL_VERSION={} may be another; "
                "remove one of them",
                kKdumpConfigPath, config.kernel, setting);
  }
  // When the kernel that is named cannot be used, the running one takes its place.
  if (setting != "running" && !is_default(config.initrd, kInitrdLink)) {
    return fail(ErrorKind::kUsage,
                "{}: KDUMP_INITRD={} has the modules of one kernel and KDUMP_KERNEL_VERSION={} may "
                "end with another; name that kernel with KDUMP_KERNEL in the place of it",
                kKdumpConfigPath, config.initrd, setting);
  }
  return {};
}

}  // namespace

std::vector<Error> refusals(const KdumpState& state) {
  std::vector<Error> all;
  const auto refuse = [&](ErrorKind kind, std::string message) {
    all.push_back({.kind = kind, .message = std::move(message)});
  };
  if (!state.config.use_kdump) {
    refuse(ErrorKind::kFailed,
           fmt::format("{}: USE_KDUMP is not set or zero; set USE_KDUMP=1", kKdumpConfigPath));
  }
  if (state.firmware_dump) {
    refuse(ErrorKind::kTargetNotSupported,
           "firmware-assisted dumps (fadump) are not supported; remove fadump=on from the kernel "
           "command line to use kdump");
  }
  if (!state.supported) {
    refuse(ErrorKind::kFailed,
           "kdump is not supported by this kernel; it needs CONFIG_CRASH_DUMP=y and "
           "CONFIG_KEXEC=y, which Debian's kernels have");
  }
  if (!state.crashkernel) {
    refuse(ErrorKind::kFailed,
           "no crashkernel= parameter in the kernel cmdline; /etc/default/grub.d/kdump-tools.cfg "
           "adds it: run update-grub and reboot");
  } else if (state.supported && state.reservation == 0 && !state.loaded) {
    refuse(ErrorKind::kFailed,
           "crashkernel= reserved no memory, see \"dmesg | grep -i crash\"; choose a size that "
           "fits this machine in /etc/default/grub.d/kdump-tools.cfg, run update-grub and reboot");
  }
  if (const Result<void> one = refuse_two_kernels(state.config); !one) all.push_back(one.error());
  if (const Result<void> network = refuse_network(state.config); !network) {
    all.push_back(network.error());
  }
  return all;
}

std::vector<CheckedLink> check_links(const RootedReader& reader, const KdumpConfig& config,
                                     std::string_view version) {
  std::vector<CheckedLink> links;
  const auto check = [&](std::string_view path, const std::vector<std::string>& files) {
    if (files.empty()) return;
    std::vector<std::string> right;
    right.reserve(files.size());
    for (const std::string& file : files) {
      right.push_back(reader.resolve(file).value_or(file));
    }
    CheckedLink checked{.path = std::string(path), .wanted = files.front(), .link = {}};
    checked.link = read_link(reader, path);
    checked.state = judge_link(checked.link, right);
    links.push_back(std::move(checked));
  };
  if (is_default(config.initrd, kInitrdLink)) check(kInitrdLink, {image_path(version)});
  if (is_default(config.kernel, kKernelLink)) check(kKernelLink, kernel_files(reader, version));
  return links;
}

Result<LoadPlan> plan_load(const Context& context, const KdumpState& state,
                           const KernelChoice& choice, PlanFor purpose) {
  LoadPlan plan;
  KD_CHECK(choose_files(context, state, choice, purpose, plan));
  const KdumpConfig& config = state.config;
  // Where kdump-mkinitrd refused, nothing is known of the target, so nothing is risked.
  const bool fallback = !plan.direct && config.capture == "direct";
  // Nothing is known of a machine that cannot be read.
  const MachineFacts machine =
      gather_machine(context.reader, config.core_dir).value_or(MachineFacts{});
  if (plan.direct || context.reader.exists(plan.initrd_file + ".manifest")) {
    plan.key = needed_key(machine, config);
  }
  const bool opens = plan.key.from != VolumeKey::kNone;
  if (plan.key.from == VolumeKey::kImage) {
    KD_CHECK(check_key_file(context, plan.key, config.luks_key));
  }
  if (!plan.direct && !opens) plan.locked = device_with_passphrase(machine, context.reader);
  CommandLineInputs inputs = command_line_inputs(machine, config, plan.version);
  inputs.running = state.command_line;
  inputs.rootfs = !plan.direct;
  inputs.lockdown = !state.file_load_only.empty();
  inputs.ram = state.ram;
  if (fallback) inputs.profile = "stock";
  plan.command_line = capture_command_line(inputs);
  const std::size_t appended = plan.key.from == VolumeKey::kKernel ? kKeysParameter : 0;
  if (plan.command_line.text.size() + appended > kMaxCommandLine) {
    return fail(ErrorKind::kUsage,
                "the command line of the capture kernel has {} bytes and the kernel takes {}; "
                "shorten it with KDUMP_CMDLINE in {}",
                plan.command_line.text.size(), kMaxCommandLine - appended, context.config_path);
  }
  const std::optional<std::string> kexec = context.runner.find("kexec");
  if (!kexec) return fail(ErrorKind::kFailed, "kexec is missing; install kexec-tools");
  KexecRequest request{.program = *kexec,
                       .kernel = plan.kernel,
                       .initrd = plan.initrd,
                       .command_line = plan.command_line.text,
                       // A key is not given to kexec(8), whose memory may be swapped out.
                       .file_load_only = !state.file_load_only.empty() || opens};
  KD_TRY(request.extra, split_words(config.kexec_args));
  if (opens && chooses_other_call(request.extra)) {
    return fail(ErrorKind::kUsage,
                "KDUMP_KEXEC_ARGS=\"{}\": an encrypted target takes kexec_file_load(2), -s",
                config.kexec_args);
  }
  KD_TRY(request.elf_kernel, is_elf_kernel(context, plan.kernel_file));
  plan.commands = load_commands(request);
  return plan;
}

}  // namespace kd
