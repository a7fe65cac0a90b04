// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "builder/base/rooted_reader.h"

namespace kd {

struct FilesystemId {
  std::string uuid;     // as libblkid prints it
  std::string journal;  // the UUID of a journal on another device; mostly empty
  // What else seems to be on the device, and keeps init from mounting it: "linux_raid_member",
  // "crypto_LUKS" or "LVM2_member", as init's own test finds it. Mostly empty.
  std::string container;
};

// The file system on a device (its name in /sys): what libblkid reads from the node, else the link
// in /dev/disk/by-uuid. Empty when neither tells, for example without root rights in a container.
FilesystemId identify_filesystem(const RootedReader& reader, const std::string& device);

}  // namespace kd
