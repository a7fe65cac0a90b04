// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that change what is loaded, and the plan behind them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/atomic_file.h"
#include "builder/policy/command_line.h"
#include "hooks/context.h"
#include "hooks/kernel_choice.h"
#include "hooks/links.h"
#include "hooks/state.h"
#include "hooks/volume_key.h"

namespace kd {

// Why nothing can be loaded on this machine as it is, the most basic reason first. Pure.
std::vector<Error> refusals(const KdumpState& state);

// A link of /var/lib/kdump held against the version it should lead to.
struct CheckedLink {
  std::string path;
  std::string wanted;  // file a new link gets
  Link link;
  LinkState state = LinkState::kRight;
};
std::vector<CheckedLink> check_links(const RootedReader& reader, const KdumpConfig& config,
                                     std::string_view version);

// Everything a load hands to kexec.
struct LoadPlan {
  std::string version;                   // of the capture kernel; empty when KDUMP_KERNEL is set
  std::string kernel, initrd;            // as kexec opens them
  std::string kernel_file, initrd_file;  // where they lead
  bool direct = true;                    // the image saves the dump itself
  std::string locked;                    // device_with_passphrase() when it does not
  NeededKey key;                         // of the volume that the image opens
  CaptureCommandLine command_line;
  std::vector<std::vector<std::string>> commands;  // to be tried one after the other
};

// What would be loaded now: the chosen kernel when it has an image, else the running one, else the
// newest other that has one. kTest takes the image of the chosen kernel for built. Changes nothing.
enum class PlanFor { kLoad, kTest };
Result<LoadPlan> plan_load(const Context& context, const KdumpState& state,
                           const KernelChoice& choice, PlanFor purpose = PlanFor::kLoad);

// ErrorKind tells the exit code; what happens is said on the way. All but reading take the lock.
Result<void> load(const Context& context);
Result<void> unload(const Context& context);
// Prepares everything first: when that fails, what is loaded stays.
Result<void> reload(const Context& context);
// Only when a crash kernel is loaded. `hotplug` is "cpu", "memory" or empty: then nothing is done
// where the kernel follows such events, or when a load since the event has seen its result.
Result<void> reload_if_loaded(const Context& context, std::string_view hotplug);
// Points the links at a version, whose image is built first. With `fallback`, at the newest other
// version when that one cannot be used.
Result<void> set_links(const Context& context, const std::string& version, bool fallback);

// For the hooks of kernel packages.
struct KernelEvent {
  std::string installed;  // release, of the kernel that runs next
  std::string removed;    // release; with one of them empty it did not happen
  std::string facts;      // of a recorded machine; empty: of this one
};
// The image of the kernel that captures from now on: that of the kernel that was installed, unless
// KDUMP_KERNEL_VERSION chooses another.
Result<void> build(const Context& context, const KernelEvent& event);

inline constexpr std::string_view kLockFile = "/run/kdump/lock";
// One load, hook or hotplug event at a time.
Result<FileLock> take_lock(const Context& context);
// The path on the host of a file that need not exist yet, with its directory made.
Result<std::string> writable_path(const Context& context, const std::string& path);

}  // namespace kd
