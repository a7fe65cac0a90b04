// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a capture does to the machine, and nothing that plain files can stand for: the seam at
// which tests let every step fail. Functions that can fail return 0 or an errno value.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

#include "builder/init/child.h"
#include "builder/init/memory.h"
#include "builder/init/storage/storage.h"

namespace kdinit {

// tick() proves that init is alive and samples memory.
class System : public Storage {
 public:
  virtual std::time_t wall_clock() = 0;
  virtual Memory memory() = 0;
  // The smallest values at any tick() or memory() since the last call.
  virtual Memory take_lowest_memory() = 0;
  virtual int write_sysctl(const char* path, std::string_view value) = 0;
  // Gives the memory of the file back once the kernel has the module. EEXIST is success.
  virtual int load_module(const char* path, const char* options) = 0;
  // Replaces "X.xz" by the file X it holds.
  virtual int unpack(const char* path) = 0;
  virtual ChildResult run(const Command& command) = 0;
  virtual int free_bytes(const char* directory, std::uint64_t& bytes) = 0;
  // Writes to the end of `file` and cuts that off again, because the free bytes of a file system
  // say little about its last ones: ext4 for one keeps 2 % of its clusters, up to 16 MiB, that no
  // statvfs() tells of.
  virtual bool is_full(const char* file) = 0;

 protected:
  ~System() = default;
};

}  // namespace kdinit
