// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a capture does to the machine, and nothing that plain files can stand for: the seam at
// which tests let every step fail. Functions that can fail return 0 or an errno value.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

#include "builder/init/child.h"
#include "builder/init/init_config.h"
#include "builder/init/memory.h"
#include "builder/init/target.h"

namespace kdinit {

enum class MountUse {
  kData,  // nothing on it is run
  kRoot,  // it becomes the root, read-only as a boot loader leaves it to systemd
  kWritableRoot,
};

class System : public Ticker {
 public:
  // Waits tick() while something else goes on: proves that init is alive and samples memory.
  virtual std::uint64_t now_ms() = 0;  // CLOCK_BOOTTIME
  virtual std::time_t wall_clock() = 0;
  virtual Memory memory() = 0;
  // The smallest values at any tick() or memory() since the last call.
  virtual Memory take_lowest_memory() = 0;
  virtual void print(std::string_view text) = 0;  // to the console, as it is
  virtual int write_sysctl(const char* path, std::string_view value) = 0;
  // Gives the memory of the file back once the kernel has the module. EEXIST is success.
  virtual int load_module(const char* path, const char* options) = 0;
  // Replaces "X.xz" by the file X it holds.
  virtual int unpack(const char* path) = 0;
  virtual bool wait_for_target(const TargetQuery& query, Candidates& found) = 0;
  virtual int mount(const char* device, const char* directory, const char* type,
                    const char* options, MountUse use) = 0;
  virtual int unmount(const char* directory) = 0;
  virtual ChildResult run(const Command& command) = 0;
  virtual int free_bytes(const char* directory, std::uint64_t& bytes) = 0;
  // Writes to the end of `file` and cuts that off again, because the free bytes of a file system
  // say little about its last ones: ext4 for one keeps 2 % of its clusters, up to 16 MiB, that no
  // statvfs() tells of.
  virtual bool is_full(const char* file) = 0;

 protected:
  ~System() = default;
};

// "kdump: 3.214s STEP: TEXT" on a line of its own.
template <typename... Parts>
void say(System& system, std::string_view step, const Parts&... parts) {
  const std::uint64_t now = system.now_ms();
  const auto millis = now % 1000;
  Text<1024> line("kdump: ", now / 1000,
                  millis < 10    ? ".00"
                  : millis < 100 ? ".0"
                                 : ".",
                  millis, "s ", step, ": ", parts...);
  system.print(line.view());
  system.print("\n");
}

}  // namespace kdinit
