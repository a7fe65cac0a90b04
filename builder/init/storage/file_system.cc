// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/file_system.h"

#include <string.h>

#include <cerrno>

namespace kdinit {

bool find_devices(const FileSystem& wanted, const InitConfig& config, std::string_view step,
                  Storage& storage, Candidates& found, TextBuffer& error) {
  say(storage, step, "waiting for ", wanted.type, ' ', wanted.uuid);
  const TargetQuery query{.type = wanted.type,
                          .uuid = wanted.uuid,
                          .layers = {config.layers.begin(), config.layers.end()},
                          .timeout = config.target_timeout};
  const bool ok = storage.wait_for_target(query, found);
  if (!found.made.view().empty()) say(storage, step, "made ", found.made.view());
  if (ok) return true;
  say(storage, step,
      "block devices seen: ", found.seen.view().empty() ? "none" : found.seen.view());
  // What is missing on the way to it says more, and both would not fit into the report.
  if (found.problems.view().empty()) {
    error.put("no device with ", wanted.type, ' ', wanted.uuid);
  } else {
    error.put(found.problems.view());
  }
  error.put(" after ", config.target_timeout, " s");
  return false;
}

bool mount_first(const FileSystem& wanted, const Candidates& devices, std::string_view directory,
                 MountUse use, std::string_view step, std::string_view role, Storage& storage,
                 TextBuffer& error) {
  // The members of a btrfs are one file system and no reason to worry.
  if (devices.count > 1 && devices.members < 2) {
    say(storage, step, devices.count,
        " devices have this UUID, taking the first that can be mounted");
  }
  // btrfs_check_rw_degradable() in fs/btrfs/volumes.c asks each chunk whether it can do without.
  const bool degraded = devices.missing > 0;
  if (degraded) {
    say(storage, step, devices.missing, " of its ", devices.members,
        " devices are missing, trying without");
  }
  const Path options(degraded ? "degraded" : "", degraded && !wanted.options.empty() ? "," : "",
                     wanted.options);
  const std::size_t tries = devices.members > 1 ? 1 : devices.count;
  int failed = ENODEV;
  for (std::size_t i = 0; i < tries; ++i) {
    const Candidate& candidate = devices.items[i];
    failed = storage.mount(candidate.device.c_str(), Path(directory).c_str(),
                           Path(wanted.type).c_str(), options.c_str(), use);
    if (failed == 0) {
      say(storage, step, candidate.device.view(), " is the ", role);
      return true;
    }
    say(storage, step, candidate.device.view(), ": ", ::strerror(failed));
  }
  if (degraded) {
    error.put(wanted.type, ' ', wanted.uuid, " cannot be mounted without ", devices.missing,
              " of its ", devices.members, " devices: ", ::strerror(failed));
    return false;
  }
  const std::string_view hint = failed == EUCLEAN ? "; the file system is damaged, run fsck"
                                : failed == EROFS || failed == EACCES
                                    ? "; the device is write-protected"
                                : failed == EINVAL ? "; see the kernel messages above"
                                : failed == ENODEV ? "; the module of the file system is missing"
                                                   : "";
  error.put("cannot mount ", wanted.type, ' ', wanted.uuid, " options \"", wanted.options,
            "\": ", ::strerror(failed), hint);
  return false;
}

}  // namespace kdinit
