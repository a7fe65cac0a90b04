// SPDX-License-Identifier: GPL-2.0-or-later
//
// The way from a mount of the running system down to the hardware, as the capture kernel has to go
// it: which drivers, and which layers init assembles.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"
#include "builder/facts/machine.h"
#include "builder/init/init_config.h"
#include "builder/policy/encryption.h"
#include "modsel/select.h"

namespace kd {

// A layer of the configuration, see kdinit::Layer.
struct RequiredLayer {
  kdinit::LayerKind kind = kdinit::LayerKind::kLvm;
  std::string id;
  std::string parameters;
  std::uint64_t stripe_disks = 0;  // of an array with parity, for which it has a cache of stripes
  bool raid1 = false;              // a logical volume that is an array of its parts
  bool thin = false;               // one that takes its blocks from a pool
  bool operator==(const RequiredLayer&) const = default;
};

// What may be under way to a disk through encrypted volumes.
inline constexpr std::uint64_t kMaxEncryptedBytes = 4 << 20;

// A mount the capture kernel has to reach, and how messages speak of it.
struct Place {
  const DumpMount& mount;
  std::string_view path;
  std::string_view role;             // "a dump target"
  std::string_view advice;           // where the file system is not one init knows
  VolumeKey key = VolumeKey::kNone;  // of encrypted volumes below it
};

// "ext4 on vda for /var/crash"; a mapped device by its name, because its number is another one
// after the next start.
[[nodiscard]] std::string describe(const Place& place);

struct Way {
  std::vector<modsel::Wanted> modules;  // in the order they are needed in
  std::vector<RequiredLayer> layers;
};

// ErrorKind::kTargetNotSupported names what init does not know on this way, or will not use;
// kFailed what nobody could read.
[[nodiscard]] Result<Way> way_to(const MachineFacts& machine, const Place& place);

// The drivers of a device's chain; `device` is its name, for the reasons.
void want_bus_modules(std::string_view device, const std::vector<BusNode>& chain,
                      std::vector<modsel::Wanted>& wanted);

}  // namespace kd
