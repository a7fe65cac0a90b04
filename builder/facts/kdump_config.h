// SPDX-License-Identifier: GPL-2.0-or-later
//
// /etc/default/kdump-tools: written for a shell, read here without one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/base/file_reader.h"
#include "builder/base/result.h"
#include "builder/facts/shell_assignments.h"

namespace kd {

// The largest that init takes as well (init_config.h).
inline constexpr int kMaxTargetTimeout = 3600, kMaxStallTimeout = 86400;

inline constexpr std::string_view kKdumpConfigPath = "/etc/default/kdump-tools";

// What kdump-tools.conf(5) documents, with kdump-tools' defaults. As there, a variable set to
// nothing counts as not set.
struct KdumpConfig {
  bool use_kdump = false;                  // USE_KDUMP: not set means off; the stock file sets 1
  std::string core_dir = "/var/crash";     // KDUMP_COREDIR, absolute
  std::string makedump_args = "-c -d 31";  // MAKEDUMP_ARGS
  std::string fail_command = "reboot -f";  // KDUMP_FAIL_CMD
  bool dump_dmesg = true;                  // KDUMP_DUMP_DMESG: save dmesg beside the dump
  std::optional<int> target_timeout;       // KDUMP_TARGET_TIMEOUT: seconds, 1..3600
  std::optional<int> stall_timeout;        // KDUMP_STALL_TIMEOUT: seconds, 0 (never)..86400
  int num_dumps = 0;                       // KDUMP_NUM_DUMPS; 0 = keep all
  std::string compression;                 // KDUMP_COMPRESSION: bzip2, gzip, lz4, xz or empty
  std::string kernel, initrd;              // KDUMP_KERNEL, KDUMP_INITRD; empty: the default links
  std::string kernel_version = "running";  // KDUMP_KERNEL_VERSION: running | smallest | a release
  std::string sysctl;                      // KDUMP_SYSCTL
  std::string kexec_args;                  // KDUMP_KEXEC_ARGS
  std::string cmdline;                     // KDUMP_CMDLINE; empty: from /proc/cmdline
  std::string cmdline_append;              // KDUMP_CMDLINE_APPEND; empty: from cmdline_profile
  std::string cmdline_profile = "tuned";   // KDUMP_CMDLINE_PROFILE: tuned | stock
  std::string capture = "direct";          // KDUMP_CAPTURE: direct | rootfs
  std::string luks_key;                    // KDUMP_LUKS_KEY: file with a volume key, or empty
  std::string hosttag = "ip";              // HOSTTAG: ip | hostname
  std::string ssh;                         // SSH: USER@HOST
  std::string ssh_key = "/root/.ssh/kdump_id_rsa";            // SSH_KEY
  int ssh_retry = 16;                                         // SSH_KDUMP_RETRY
  std::string nfs;                                            // NFS: HOST:DIRECTORY
  int nfs_timeo = 600, nfs_retrans = 3, nfs_mount_retry = 4;  // NFS_TIMEO, _RETRANS, _MOUNT_RETRY
  std::string ftp, ftp_user, ftp_password;  // FTP: HOST[:DIRECTORY], FTP_USER, FTP_PASSWORD
  int ftp_port = 21;                        // FTP_PORT
  ShellVariables all;                       // everything, as written
};

// What the memory of the capture kernel depends on: tuned or stock. A command line of the
// administrator's own may have none of the profile's savings.
inline std::string_view memory_profile(const KdumpConfig& config) {
  return config.cmdline_append.empty() && config.cmdline_profile == "tuned" ? "tuned" : "stock";
}

// Interprets the variables. A value out of range is ErrorKind::kUsage, naming variable and value.
Result<KdumpConfig> interpret_kdump_config(const ShellVariables& variables);

// Reads and interprets; a missing file is an empty one. `path` as the reader sees it.
Result<KdumpConfig> read_kdump_config(const FileReader& reader,
                                      std::string_view path = kKdumpConfigPath);

}  // namespace kd
