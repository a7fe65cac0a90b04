// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a machine whose disk has several paths needs of the capture kernel.
#include "tests/policy/decide_for.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

constexpr const char* kDigest = "cbf29ce484222325";

BlockDevice mapped(const char* name, std::vector<std::string> below, MultipathDisk disk) {
  return {.name = name,
          .kind = BlockKind::kDeviceMapper,
          .layer = "mpath",
          .below = std::move(below),
          .chain = {},
          .volume = {},
          .multipath = std::move(disk)};
}

// The dump on the second partition of a disk with two paths.
MachineFacts multipath_machine(const char* handler) {
  MachineFacts machine = virtio_machine();
  BlockDevice second = machine.devices[0];
  second.name = "sdb";
  second.chain[0].module = second.chain[0].driver = "lpfc";
  machine.devices = {mapped("dm-0", {"vda", "sdb"}, {kDigest, 0, 2, handler, ""}),
                     mapped("dm-1", {"dm-0"}, {kDigest, 2, 0, "", ""}), second, machine.devices[0]};
  machine.dump_mount.device = "dm-1";
  machine.dump_mount.source = "/dev/mapper/mpatha-part2";
  return machine;
}

TEST(MultipathRequirements, DriversOfAllPathsAndTheKernelsFailover) {
  const auto result = decide_for(multipath_machine("alua"));
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(result->layers,
              testing::UnorderedElementsAre(
                  RequiredLayer{kdinit::LayerKind::kMultipath, kDigest, "2 failover"},
                  RequiredLayer{kdinit::LayerKind::kMultipath, std::string(kDigest) + "/2", ""}));
  EXPECT_THAT(wanted_names(*result),
              testing::IsSupersetOf({"virtio_blk", "lpfc", "dm_multipath", "dm_round_robin"}));
  EXPECT_EQ(wanted_names(*result).front(), "scsi_dh_alua")
      << "the kernel asks it when a path appears, and never again";
}

TEST(MultipathRequirements, AnArrayThatIsSwitchedByCommandsIsUsedByOnePath) {
  const auto result = decide_for(multipath_machine("rdac"));
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(result->layers,
              Contains(RequiredLayer{kdinit::LayerKind::kMultipath, kDigest, "2 single"}));
  EXPECT_THAT(wanted_names(*result), Not(Contains("dm_multipath")));
  EXPECT_THAT(wanted_names(*result), Contains("scsi_dh_rdac"));
}

TEST(MultipathRequirements, RefusesADiskThatInitWouldNotFindAgain) {
  MachineFacts machine = multipath_machine("");
  machine.devices[0].multipath->problem = "its path sdb has no identity in /sys";
  expect_refused(decide_for(machine), ErrorKind::kTargetNotSupported,
                 "/var/crash is on dm-0, a multipath disk (its path sdb has no identity in /sys)");
}

}  // namespace
}  // namespace kd
