// SPDX-License-Identifier: GPL-2.0-or-later
//
// The real root instead of the image: its init takes over, and its kdump-config saves the dump.
#pragma once

#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/report.h"
#include "builder/init/system.h"

namespace kdinit {

// What only the hand-over does to a machine. Functions that can fail return an errno value.
class RootSystem : public System {
 public:
  virtual int move_mount(const char* from, const char* to) = 0;
  // Makes what is mounted at `directory` the root, then deletes the image to give its memory back.
  virtual int switch_root(const char* directory) = 0;
  // Becomes that program, so it returns only when that failed.
  virtual int run_init(const char* path) = 0;

 protected:
  ~RootSystem() = default;
};

struct RootPlaces {
  std::string_view mount_point = "/root";
  std::string_view run = "/run";
  std::string_view command_line = "/proc/cmdline";
};

// With capture rootfs always. With capture direct when a dump was there and nothing of it could be
// saved, unless the root is the target that could not be mounted; then it says so.
bool root_is_wanted(const InitConfig& config, const Report& report, System& system);

// As switch_root(8). Returns only when a step failed, after saying which. From then on nobody
// watches the machine but the kernel, which restarts it after a panic.
void hand_over(const InitConfig& config, const RootPlaces& places, RootSystem& system);

// True where a kernel command line asks for a writable root: the last of "ro" and "rw" counts.
bool asks_for_writable_root(std::string_view command_line);

}  // namespace kdinit
