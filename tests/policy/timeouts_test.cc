// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/timeouts.h"

#include <gtest/gtest.h>

#include "builder/init/init_config.h"
#include "builder/policy/requirements.h"
#include "tests/machine_fixture.h"

namespace kd {
namespace {

// A partition on a disk whose way to the bus root has these subsystems.
MachineFacts machine_with(const std::vector<std::string>& subsystems) {
  MachineFacts machine;
  BlockDevice disk{.name = "sda"};
  for (const std::string& subsystem : subsystems) disk.chain.push_back({.subsystem = subsystem});
  machine.devices = {disk, {.name = "sda1", .kind = BlockKind::kPartition, .below = {"sda"}}};
  machine.dump_mount.device = "sda1";
  return machine;
}

std::uint32_t target_of(const MachineFacts& machine, const KdumpConfig& config = {}) {
  return target_timeout(config, machine, machine.dump_mount);
}

TEST(Timeouts, TargetFollowsTheSlowestKindOfHardware) {
  EXPECT_EQ(target_of(machine_with({"block", "virtio", "pci"})), 60U);
  EXPECT_EQ(target_of(machine_with({"block", "mmc", "mmc_host", "pci"})), 60U);
  EXPECT_EQ(target_of(machine_with({"block", "nvme", "pci"})), 150U);
  EXPECT_EQ(target_of(machine_with({"block", "scsi", "scsi", "pci"})), 180U);
  EXPECT_EQ(target_of(machine_with({"block", "scsi", "usb", "usb", "pci"})), 240U);
  EXPECT_EQ(target_of(machine_with({"block", "scsi", "scsi", "virtio", "pci"})), 60U)
      << "a disk of virtio-scsi does not spin up";
}

TEST(Timeouts, WhatNobodyKnowsGetsALongOne) {
  EXPECT_EQ(target_of(machine_with({"block", "vmbus"})), 180U);
  EXPECT_EQ(target_of(machine_with({})), 180U);
  EXPECT_EQ(target_of(MachineFacts{}), 180U);
  MachineFacts circle = machine_with({"virtio"});
  circle.devices[0].below = {"sda1"};
  EXPECT_EQ(target_of(circle), 180U);
}

TEST(Timeouts, SlowestOfSeveralDisksCounts) {
  MachineFacts machine = machine_with({"nvme"});
  machine.devices.push_back({.name = "sdb", .chain = {{.subsystem = "usb"}}});
  machine.devices[1].below.emplace_back("sdb");
  EXPECT_EQ(target_of(machine), 240U);
}

TEST(Timeouts, StallGrowsWithTheMemoryThatIsFiltered) {
  EXPECT_EQ(stall_timeout({}, 0), 600U);
  EXPECT_EQ(stall_timeout({}, std::uint64_t{16} << 30), 616U);
  EXPECT_EQ(stall_timeout({}, std::uint64_t{12} << 40), 600U + 12 * 1024U);
  EXPECT_EQ(stall_timeout({}, ~std::uint64_t{0}), 86400U) << "not more than init takes";
}

TEST(Timeouts, ConfigurationWins) {
  const KdumpConfig config =
      interpret_kdump_config({{"KDUMP_TARGET_TIMEOUT", "7"}, {"KDUMP_STALL_TIMEOUT", "0"}}).value();
  EXPECT_EQ(target_of(machine_with({"usb"}), config), 7U);
  EXPECT_EQ(stall_timeout(config, std::uint64_t{12} << 40), 0U);
  const auto decided = decide(virtio_machine(), config, {}).value();
  EXPECT_EQ(decided.target_timeout, 7U);
  EXPECT_EQ(decided.stall_timeout, 0U);
}

TEST(Timeouts, RootIsWhatACaptureInTheRealRootWaitsFor) {
  MachineFacts machine = virtio_machine();
  machine.root_mount = machine.dump_mount;
  machine.devices.push_back({.name = "sdx", .chain = {{.subsystem = "usb"}}});
  machine.dump_mount.device = "sdx";
  machine.dump_mount.mount_point = "/var/crash";
  KdumpConfig config;
  config.capture = "rootfs";
  EXPECT_EQ(decide(machine, config, {}).value().target_timeout, 60U);
}

}  // namespace
}  // namespace kd
