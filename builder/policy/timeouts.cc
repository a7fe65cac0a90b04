// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/timeouts.h"

#include <algorithm>
#include <string_view>

namespace kd {
namespace {

struct Kind {
  std::string_view subsystem;  // of a node between the disk and its bus root
  std::uint32_t seconds;
};
constexpr Kind kKinds[] = {
    // There when the driver is; the rest is for a loaded host.
    {"virtio", 60},
    {"mmc", 60},
    // CAP.TO of an NVMe controller is up to 255 times 500 ms, see nvme_wait_ready() in
    // drivers/nvme/host/core.c, and the driver resets it.
    {"nvme", 150},
    // sd_spinup_disk() in drivers/scsi/sd.c waits 100 s for a disk to spin up; the host adapter is
    // reset and its firmware started before that.
    {"scsi", 180},
    // Such a disk behind hubs that are reset and powered one after the other.
    {"usb", 240},
};
// A bus that nobody here has seen.
constexpr std::uint32_t kOtherKind = 180;

// Of the slowest known bus on the way of one disk.
std::uint32_t seconds_of(const BlockDevice& disk) {
  std::uint32_t seconds = 0;
  bool virtio = false;
  for (const BusNode& node : disk.chain) {
    virtio = virtio || node.subsystem == "virtio";
    const auto* const kind = std::ranges::find(kKinds, node.subsystem, &Kind::subsystem);
    if (kind != std::end(kKinds)) seconds = std::max(seconds, kind->seconds);
  }
  // A disk of virtio-scsi spins nowhere.
  if (virtio) return kKinds[0].seconds;
  return seconds == 0 ? kOtherKind : seconds;
}

// `left` ends a record that runs in circles.
std::uint32_t slowest_below(const MachineFacts& machine, std::string_view name, std::size_t left) {
  const BlockDevice* device = find_device(machine, name);
  if (device == nullptr || left == 0) return kOtherKind;
  if (device->below.empty()) return seconds_of(*device);
  std::uint32_t seconds = 0;
  for (const std::string& below : device->below) {
    seconds = std::max(seconds, slowest_below(machine, below, left - 1));
  }
  return seconds;
}

}  // namespace

std::uint32_t target_timeout(const KdumpConfig& config, const MachineFacts& machine,
                             const DumpMount& mount) {
  if (config.target_timeout) return static_cast<std::uint32_t>(*config.target_timeout);
  return slowest_below(machine, mount.device, machine.devices.size());
}

std::uint32_t stall_timeout(const KdumpConfig& config, std::uint64_t ram) {
  if (config.stall_timeout) return static_cast<std::uint32_t>(*config.stall_timeout);
  // Ten minutes are for a disk that recovers. Before it writes, makedumpfile looks at every struct
  // page, 16 MiB of them for each GiB of memory, twice: a second for each GiB on one slow CPU.
  constexpr std::uint64_t kDisk = 600;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kDisk + (ram >> 30), kMaxStallTimeout));
}

}  // namespace kd
