// SPDX-License-Identifier: GPL-2.0-or-later
//
// Arrays made by the kernel's md, as include/uapi/linux/raid/md_u.h has it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/storage/md.h"

namespace kdinit {

struct DeviceNumber {
  std::uint32_t major = 0, minor = 0;
};

class ArrayDriver {
 public:
  // Starts the array `name` ("md0") with these members and no others; the kernel takes everything
  // else from their superblocks. Nothing is resynced in the capture, and nothing written before the
  // first write to the array. What was begun is taken back on failure. 0 or an errno value.
  virtual int start(std::string_view name, md::Version version,
                    std::span<const DeviceNumber> members) = 0;

 protected:
  ~ArrayDriver() = default;
};

class KernelArrayDriver final : public ArrayDriver {
 public:
  int start(std::string_view name, md::Version version,
            std::span<const DeviceNumber> members) override;
};

}  // namespace kdinit
