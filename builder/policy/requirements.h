// SPDX-License-Identifier: GPL-2.0-or-later
//
// What must work in the capture kernel. Pure: facts and configuration in, requirements out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/base/result.h"
#include "builder/facts/initramfs_config.h"
#include "builder/facts/kdump_config.h"
#include "builder/facts/machine.h"
#include "builder/init/init_config.h"
#include "builder/policy/dump_level.h"
#include "builder/policy/way.h"
#include "modsel/select.h"

namespace kd {

// The file system the dump goes to, as init finds and mounts it.
struct Target {
  std::string fs_type;
  std::string uuid;
  std::string options;         // for mount(2), may be empty
  std::string dump_directory;  // below the mounted file system, absolute
  std::string description;     // "ext4 on vda for /var/crash", the root of all reasons
};

// The machine's root file system, which init can hand over to.
struct RootFileSystem {
  std::string fs_type;
  std::string uuid;
  std::string options;  // for mount(2), may be empty
};

struct Requirements {
  kdinit::CaptureMode capture = kdinit::CaptureMode::kDirect;
  Target target;                       // capture rootfs: only the description, of the root
  std::optional<RootFileSystem> root;  // always there for capture rootfs
  std::vector<RequiredLayer> layers;   // that lead to the target or the root, each once
  modsel::ModuleRequest modules;
  std::vector<modsel::Wanted> root_modules;     // further ones for a root that is not the target
  DumpArguments dump;                           // for makedumpfile
  std::vector<std::string> uncalled_libraries;  // of makedumpfile, with either
  std::uint32_t target_timeout = 60;            // seconds, see timeouts.h
  std::uint32_t stall_timeout = 600;
  bool save_dmesg = true;
  unsigned keep_dumps = 0;
  kdinit::FinalAction failure_action = kdinit::FinalAction::kReboot;
  std::vector<std::string> sysctls;  // "PATH=VALUE", see sysctl_conf.h
  std::string time_zone;
  std::vector<std::string> notes;  // what cannot be had, and why
};

// ErrorKind::kTargetNotSupported names the device or mount and the layer that is not understood;
// ErrorKind::kUsage names the variable of the configuration that cannot be honoured.
// `hands_keys_over`: see volume_key().
[[nodiscard]] Result<Requirements> decide(const MachineFacts& machine, const KdumpConfig& config,
                                          const InitramfsConfig& additions,
                                          std::vector<std::string> sysctls = {},
                                          const DumpPair& pair = {}, bool hands_keys_over = false);

}  // namespace kd
