// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/lasting_target.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace kd {
namespace {

// An overlay may have its upper layer on a disk; mostly, as on live systems, it is memory, and
// mountinfo does not tell.
constexpr std::array<std::string_view, 6> kInMemory = {"tmpfs",  "ramfs",   "devtmpfs",
                                                       "rootfs", "overlay", "aufs"};

constexpr std::array<std::string_view, 5> kReadOnly = {"squashfs", "erofs", "cramfs", "iso9660",
                                                       "romfs"};

// What systemd orders behind remote-fs-pre.target and the network: fstype_is_network() in
// src/basic/mountpoint-util.c, as far as Debian has the file systems.
constexpr std::array<std::string_view, 13> kNetwork = {
    "afs", "ceph", "cifs",  "smb3",  "smbfs",  "sshfs",    "gfs2",
    "nfs", "nfs4", "ocfs2", "davfs", "lustre", "glusterfs"};

bool is_one_of(const auto& names, std::string_view type) {
  constexpr std::string_view kFuse = "fuse.";
  if (type.starts_with(kFuse)) type.remove_prefix(kFuse.size());
  return std::ranges::find(names, type) != names.end();
}

bool is_in_memory(const DumpMount& mount) {
  // A partition has the name of its disk in front.
  return is_one_of(kInMemory, mount.fs_type) || mount.device.starts_with("zram") ||
         mount.device.starts_with("ram");
}

}  // namespace

Result<void> check_lasting_target(const MachineFacts& machine) {
  const DumpMount& mount = machine.dump_mount;
  const auto refuse = [&](std::string_view why) -> Result<void> {
    return fail(ErrorKind::kUsage,
                "{} is on {} ({} mounted at {}), {}; set KDUMP_COREDIR to a directory on a disk of "
                "this machine",
                machine.dump_directory, mount.fs_type, mount.source, mount.mount_point, why);
  };
  if (is_in_memory(mount)) return refuse("and a dump there is gone after the reboot");
  if (is_one_of(kReadOnly, mount.fs_type)) return refuse("which takes no dump");
  // A root on NFS is there before anything else.
  if (mount.mount_point != "/" && is_one_of(kNetwork, mount.fs_type)) {
    return refuse("which a capture kernel mounts with its network, after the dump");
  }
  return {};
}

}  // namespace kd
