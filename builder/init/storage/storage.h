// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a capture does to disks. Functions that can fail return 0 or an errno value.
#pragma once

#include "builder/init/speaker.h"
#include "builder/init/storage/target.h"

namespace kdinit {

enum class MountUse {
  kData,  // nothing on it is run
  kRoot,  // it becomes the root, read-only as a boot loader leaves it to systemd
  kWritableRoot,
};

class Storage : public Speaker {
 public:
  virtual bool wait_for_target(const TargetQuery& query, Candidates& found) = 0;
  virtual int mount(const char* device, const char* directory, const char* type,
                    const char* options, MountUse use) = 0;
  virtual int unmount(const char* directory) = 0;
  // Bytes that may be written to what was mounted for data, whatever its file system says.
  virtual std::uint64_t room() { return kNoLimit; }

 protected:
  ~Storage() = default;
};

}  // namespace kdinit
