// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "builder/facts/sysctl_conf.h"
#include "hooks/candidates.h"
#include "hooks/dump_check.h"
#include "hooks/estimate.h"
#include "hooks/image.h"
#include "hooks/kept_load.h"
#include "hooks/kexec_command.h"
#include "hooks/learn.h"
#include "hooks/rehearse.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

Result<std::string> host_root(const Context& context) {
  KD_TRY(std::string root, context.reader.host_path("/"));
  return root == "/" ? "" : root;
}

Result<void> write_text(const Context& context, const std::string& path, std::string_view text) {
  KD_TRY(const std::string host, writable_path(context, path));
  KD_TRY(AtomicFile file, AtomicFile::create(host));
  KD_CHECK(file.write(text));
  return file.publish();
}

// In /proc/sys a value is written in place, in one write.
Result<void> write_sysctl(const Context& context, std::string_view setting) {
  const std::size_t equals = setting.find('=');
  const std::string file = sysctl_path(setting.substr(0, equals));
  if (equals == std::string_view::npos || file.find("..") != std::string::npos) {
    return fail(ErrorKind::kUsage, "KDUMP_SYSCTL: \"{}\" is not KEY=VALUE", setting);
  }
  KD_TRY(const std::string path, context.reader.host_path("/proc/sys/" + file));
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string_view value = setting.substr(equals + 1);
  if (!fd.valid() || ::write(fd.get(), value.data(), value.size()) < 0) {
    return fail_errno(errno, path);
  }
  return {};
}

// An oops leaves a kernel that nobody can trust; with a crash kernel loaded it becomes a dump.
void apply_panic_triggers(const Context& context, const KdumpConfig& config) {
  std::vector<std::string> settings =
      split_words(config.sysctl).value_or(std::vector<std::string>{});
  if (settings.empty()) settings = {"kernel.panic_on_oops=1"};
  for (const std::string& setting : settings) {
    if (const Result<void> written = write_sysctl(context, setting); !written) {
      context.say(fmt::format("{}: {}, ignoring", setting, written.error().message));
    }
  }
}

// Runs one command after the other until one succeeds and the kernel agrees.
Result<std::vector<std::string>> run_until(const Context& context,
                                           const std::vector<std::vector<std::string>>& commands,
                                           bool want_loaded) {
  std::string failures;
  for (const std::vector<std::string>& command : commands) {
    const Result<ProgramOutcome> outcome = context.runner.run(command);
    const bool done = outcome && outcome->status == 0;
    if (done && crash_kernel_loaded(context.reader) == want_loaded) return command;
    failures +=
        fmt::format("\n  {}\n    {}", describe_command(command),
                    !outcome ? outcome.error().message
                    : done   ? "ended well, but the kernel says otherwise: see dmesg"
                             : fmt::format("status {}: {}", outcome->status, outcome->output));
  }
  while (failures.ends_with('\n')) failures.pop_back();
  return fail(ErrorKind::kFailed, "{}", failures);
}

// Loads by one of the commands, with the key of the target. Returns the command without it: the
// image in memory is gone afterwards.
Result<std::vector<std::string>> run_load(const Context& context, const KdumpConfig& config,
                                          const NeededKey& key,
                                          const std::vector<std::vector<std::string>>& commands) {
  if (key.from != VolumeKey::kImage) return run_until(context, commands, true);
  constexpr std::string_view kInitrd = "--initrd=";
  std::vector<std::vector<std::string>> keyed = commands;
  std::vector<KeyedImage> images;
  for (std::vector<std::string>& command : keyed) {
    for (std::string& word : command) {
      if (!word.starts_with(kInitrd)) continue;
      Result<KeyedImage> image =
          KeyedImage::make(context, key, config.luks_key, word.substr(kInitrd.size()));
      if (!image) return fail(image.error().kind, "\n  {}", image.error().message);
      word = fmt::format("{}{}", kInitrd, image->path());
      images.push_back(*std::move(image));
    }
  }
  KD_TRY(const std::vector<std::string> ran, run_until(context, keyed, true));
  return commands[static_cast<std::size_t>(std::ranges::find(keyed, ran) - keyed.begin())];
}

Result<void> point_links(const Context& context, const KdumpConfig& config,
                         std::string_view version) {
  Result<void> result;
  for (const CheckedLink& checked : check_links(context.reader, config, version)) {
    if (checked.state == LinkState::kRight) continue;
    const std::string what = explain_link(checked.state, checked.link, checked.wanted);
    context.say(fmt::format("Invalid symlink : {} {}", checked.path, what));
    Result<void> replaced;
    if (checked.state == LinkState::kInTheWay) {
      replaced = fail(ErrorKind::kFailed, "{} {}", checked.path, what);
    } else {
      context.say(fmt::format("Creating symlink {} to {}", checked.path, checked.wanted));
      replaced = replace_link(context.reader, checked.path, checked.wanted);
    }
    if (!replaced && result) result = std::move(replaced);
  }
  return result;
}

// The image of the chosen kernel, or one that was built before. Only when there is none at all is
// a failed build the end; for another kernel than the running one, when there is none of it.
Result<void> prepare_image(const Context& context, const KdumpState& state,
                           const std::string& version) {
  const KdumpConfig& config = state.config;
  if (!config.kernel.empty() && config.kernel != kKernelLink) return {};
  if (!config.initrd.empty() && config.initrd != kInitrdLink) return {};
  Result<void> built = build_image(context, config, version,
                                   {.crashed = crashed_kernel(config, state.running, version)});
  if (built) return {};
  const bool own =
      has_image(context.reader, version) && !kernel_files(context.reader, version).empty();
  const std::vector<std::string> others =
      version == state.running ? usable_versions(context.reader) : std::vector<std::string>();
  if (!own && others.empty()) return built;
  context.say(built.error().message);
  context.say(own ? fmt::format("using the image of {} that was built before", version)
                  : fmt::format("using kernel {} with its image instead", others.front()));
  return {};
}

// What is loaded after a load that failed. The kernel frees the crash kernel before it looks at the
// new one, which goes to the same memory (kexec_file_load in kernel/kexec_file.c, do_kexec_load()
// in kernel/kexec.c), so one bad image would leave the machine without any.
// At boot nothing is loaded yet, and an image that loaded before is better than none.
std::string load_kept_again(const Context& context, const KdumpState& state, const NeededKey& key) {
  if (crash_kernel_loaded(context.reader)) return "\n  what was loaded before is still loaded";
  const Result<std::vector<std::string>> command = kept_command(context.reader, state.running);
  if (!command && !state.loaded) return {};
  const Result<std::vector<std::string>> again =
      command ? run_load(context, state.config, key, {*command}) : tl::unexpected(command.error());
  if (again) return "\n  the kernel and image of the load before are loaded again";
  return "\n  no kdump kernel is loaded, and what was loaded before could not be loaded again: " +
         again.error().message;
}

// The image was laid out for all of the reservation.
void say_what_is_lost(const Context& context, const KdumpConfig& config) {
  const std::uint64_t wanted = usable_reservation(context.reader, config.kexec_args, false);
  const std::uint64_t had = usable_reservation(context.reader, config.kexec_args, true);
  if (had == wanted) return;
  context.say(fmt::format(
      "WARNING: loaded with kexec -c, which leaves crashkernel=,cma out: the capture kernel has {} "
      "MiB and not {}, kdump-config status tells whether that is enough",
      had >> 20, wanted >> 20));
}

// `asked` is set once kexec was, which frees what was loaded before.
Result<void> load_kernel(const Context& context, const KdumpState& state,
                         const KernelChoice& choice, std::optional<NeededKey>& asked) {
  KD_CHECK(prepare_image(context, state, choice.version));
  KD_TRY(LoadPlan plan, plan_load(context, state, choice));
  if (!plan.version.empty()) {
    if (const Result<void> linked = point_links(context, state.config, plan.version); !linked) {
      context.say(linked.error().message + ", using the files themselves");
    }
    KD_TRY(plan, plan_load(context, state, choice));
  }
  if (has_image(context.reader, plan.version)) {
    note_need(context, state.config, plan.version, state.reservation, state.ram);
  }
  const fs::file_time_type start = fs::file_time_type::clock::now();
  if (plan.key.from == VolumeKey::kKernel) {
    KD_CHECK(hand_over_key(context, plan.key, state.loaded));
  } else {
    withdraw_key(context);
  }
  asked = plan.key;
  const Result<std::vector<std::string>> command =
      run_load(context, state.config, plan.key, plan.commands);
  if (!command) {
    return fail(ErrorKind::kFailed, "failed to load kdump kernel{}{}", command.error().message,
                state.file_load_only.empty()
                    ? ""
                    : fmt::format("\n  {} is on: kernel {} must be signed by a trusted key",
                                  state.file_load_only, plan.kernel_file));
  }
  context.say("loaded kdump kernel");
  for (const std::string& problem :
       dump_problems(check_dump(context, state.config, state.running, plan.version, plan.direct))) {
    context.say("WARNING: " + problem);
  }
  if (const Result<void> kept = keep_load(context, plan, *command, state.running); !kept) {
    context.say(kept.error().message + ", a reload that fails cannot come back to this image");
  }
  const std::string text = describe_command(*command) + "\n";
  for (const std::string& path : {state.config.core_dir + "/kexec_cmd", std::string(kLoadedMark)}) {
    if (const Result<void> written = write_text(context, path, text); !written) {
      context.say(written.error().message + ", ignoring");
    }
  }
  if (const Result<std::string> mark = context.reader.host_path(kLoadedMark)) {
    std::error_code ignored;
    fs::last_write_time(*mark, start, ignored);
  }
  say_what_is_lost(context, state.config);
  apply_panic_triggers(context, state.config);
  return {};
}

Result<void> load_prepared(const Context& context, const KdumpState& state) {
  if (const Result<void> learned = learn(context, state.config); !learned) {
    context.say(learned.error().message + ", ignoring");
  }
  const KernelChoice choice = choose_capture_kernel(context, choice_inputs(state));
  if (!choice.reason.empty()) context.say(choice.reason);
  std::optional<NeededKey> asked;
  Result<void> loaded = load_kernel(context, state, choice, asked);
  if (!loaded && choice.version != state.running) {
    context.say(loaded.error().message);
    context.say(
        fmt::format("{} cannot be the capture kernel, the running kernel {} takes its place",
                    choice.version, state.running));
    loaded = load_kernel(context, state, {.version = state.running, .reason = {}}, asked);
  }
  if (loaded || !asked) return loaded;
  return fail(loaded.error().kind, "{}{}", loaded.error().message,
              load_kept_again(context, state, *asked));
}

Result<KdumpState> ready_state(const Context& context) {
  KD_TRY(KdumpState state, read_state(context.reader, context.config_path));
  if (const std::vector<Error> all = refusals(state); !all.empty()) {
    return tl::unexpected(all.front());
  }
  return state;
}

}  // namespace

Result<std::string> writable_path(const Context& context, const std::string& path) {
  KD_TRY(const std::string root, host_root(context));
  std::error_code error;
  fs::create_directories(fs::path(root + path).parent_path(), error);
  if (error) return fail_errno(error.value(), fs::path(path).parent_path().string());
  return root + path;
}

Result<FileLock> take_lock(const Context& context) {
  KD_TRY(const std::string path, writable_path(context, std::string(kLockFile)));
  return FileLock::acquire(path);
}

Result<void> load(const Context& context) {
  KD_TRY(const FileLock held, take_lock(context));
  if (const Result<void> settled = settle_rehearsal(context); !settled) {
    context.say(settled.error().message + ", ignoring");
  }
  KD_TRY(const KdumpState state, ready_state(context));
  if (state.loaded) {
    context.say("the kdump kernel is already loaded; kdump-config reload loads it again");
    return {};
  }
  return load_prepared(context, state);
}

Result<void> reload(const Context& context) {
  KD_TRY(const FileLock held, take_lock(context));
  KD_TRY(const KdumpState state, ready_state(context));
  return load_prepared(context, state);
}

Result<void> reload_if_loaded(const Context& context, std::string_view hotplug) {
  const fs::file_time_type event = fs::file_time_type::clock::now();
  if (!crash_kernel_loaded(context.reader)) return {};
  KD_TRY(const FileLock held, take_lock(context));
  KD_TRY(const KdumpState state, ready_state(context));
  if (!state.loaded) return {};
  if (!hotplug.empty()) {
    if (hotplug == "cpu" ? state.follows_cpus : state.follows_memory) return {};
    // 64 CPUs come with 64 events; the first load that starts after the last event is enough.
    std::error_code error;
    const Result<std::string> mark = context.reader.host_path(kLoadedMark);
    if (mark && fs::last_write_time(*mark, error) > event && !error) return {};
  }
  return load_prepared(context, state);
}

Result<void> unload(const Context& context) {
  KD_TRY(const FileLock held, take_lock(context));
  KD_TRY(const KdumpState state, read_state(context.reader, context.config_path));
  if (!state.loaded) {
    context.say("no kdump kernel is loaded");
    return {};
  }
  const std::optional<std::string> kexec = context.runner.find("kexec");
  if (!kexec) return fail(ErrorKind::kFailed, "kexec is missing; install kexec-tools");
  const Result<std::vector<std::string>> command =
      run_until(context, unload_commands(*kexec, !state.file_load_only.empty()), false);
  if (!command) {
    return fail(ErrorKind::kFailed, "failed to unload kdump kernel{}", command.error().message);
  }
  context.say("unloaded kdump kernel");
  forget_load(context);
  if (const Result<std::string> mark = context.reader.host_path(kLoadedMark)) {
    std::error_code ignored;
    fs::remove(*mark, ignored);
  }
  return {};
}

Result<void> set_links(const Context& context, const std::string& version, bool fallback) {
  KD_TRY(const FileLock held, take_lock(context));
  if (crash_kernel_loaded(context.reader)) {
    return fail(ErrorKind::kFailed,
                "Cannot change symbolic links when kdump is loaded; kdump-config unload comes "
                "first");
  }
  KD_TRY(const KdumpConfig config, read_kdump_config(context.reader, context.config_path));
  Result<void> usable;
  if (kernel_files(context.reader, version).empty()) {
    usable = fail(ErrorKind::kKernelNotFound, "Invalid kernel version : {}; {} is not there",
                  version, "/boot/vmlinuz-" + version);
  } else {
    usable = build_image(context, config, version);
  }
  if (usable) return point_links(context, config, version);
  if (has_image(context.reader, version) && !kernel_files(context.reader, version).empty()) {
    context.say(usable.error().message);
    context.say(fmt::format("using the image of {} that was built before", version));
    return point_links(context, config, version);
  }
  const std::vector<std::string> others = usable_versions(context.reader);
  if (!fallback || others.empty()) return usable;
  context.say(usable.error().message);
  context.say(fmt::format("using kernel {} instead", others.front()));
  return point_links(context, config, others.front());
}

Result<void> build(const Context& context, const KernelEvent& event) {
  KD_TRY(const FileLock held, take_lock(context));
  KD_TRY(const KdumpConfig config, read_kdump_config(context.reader, context.config_path));
  // The running kernel has its image, whichever other one goes.
  if (event.installed.empty() && config.kernel_version == "running") return {};
  // Without the state nothing is known of this machine, as in a chroot without /proc.
  const Result<KdumpState> state = read_state(context.reader, context.config_path);
  ChoiceInputs inputs = state ? choice_inputs(*state) : ChoiceInputs{.config = config};
  // What was installed runs next. Until then a load is for the kernel that runs now, and so is the
  // image; the first load of the next boot plans again.
  if (!event.installed.empty()) inputs.running = event.installed;
  inputs.removed = event.removed;
  inputs.facts = event.facts;
  const KernelChoice choice = choose_capture_kernel(context, inputs);
  const std::string& now = state && event.facts.empty() ? state->running : inputs.running;
  if (!choice.reason.empty()) context.say(choice.reason);
  context.say(fmt::format("Generating {}", image_path(choice.version)));
  KD_CHECK(build_image(context, config, choice.version,
                       {.quiet = false,
                        .facts = event.facts,
                        .crashed = crashed_kernel(config, now, choice.version)}));
  if (!event.facts.empty()) return {};
  // In the installation of a kernel update-grub comes next.
  if (state) note_need(context, config, choice.version, state->reservation, state->ram);
  return {};
}

}  // namespace kd
