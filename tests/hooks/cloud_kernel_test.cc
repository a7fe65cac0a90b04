// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/cloud_kernel.h"

#include <gmock/gmock.h>

#include "builder/base/rooted_reader.h"
#include "builder/facts/machine_json.h"

namespace kd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

MachineFacts recorded(const std::string& name) {
  const RootedReader reader = *RootedReader::open(KD_SOURCE_DIR "/tests/machines");
  return *machine_from_json(*reader.read("/" + name + ".json"));
}

const std::vector<KernelCandidate> kStandard = {
    {.version = "6.1.0-56-amd64", .needed = 71 << 20, .source = {}, .unfit = {}}};

TEST(CloudKernel, IsOfferedWhereItsDriversReachTheTarget) {
  for (const char* name : {"qemu-virtio-ext4", "qemu-nvme-btrfs", "qemu-scsi-ext4", "qemu-ide-ext4",
                           "qemu-pvscsi-ext4", "qemu-lvm-md-raid1"}) {
    EXPECT_THAT(cloud_kernel_hint(recorded(name), kStandard), HasSubstr("linux-image-cloud-amd64"))
        << name;
  }
  EXPECT_THAT(cloud_kernel_hint(recorded("qemu-virtio-ext4"), kStandard),
              AllOf(HasSubstr("(virtio_blk, virtio_pci)"), HasSubstr("57M")));
}

TEST(CloudKernel, IsNotOfferedWhereNobodyKnowsThatItReachesTheTarget) {
  for (const char* name : {"qemu-sym53c8xx-ext4", "qemu-megaraid-ext4", "qemu-sd-ext4",
                           "qemu-usb-vfat", "qemu-ahci-xfs"}) {
    EXPECT_EQ(cloud_kernel_hint(recorded(name), kStandard), "") << name;
  }
  MachineFacts unknown = recorded("qemu-virtio-ext4");
  unknown.devices.clear();
  EXPECT_EQ(cloud_kernel_hint(unknown, kStandard), "");
}

TEST(CloudKernel, IsNotOfferedToWhoHasOneAndOfOtherArchitectures) {
  std::vector<KernelCandidate> with_cloud = kStandard;
  with_cloud.push_back({.version = "6.1.0-56-cloud-amd64", .source = {}, .unfit = {}});
  MachineFacts machine = recorded("qemu-virtio-ext4");
  EXPECT_EQ(cloud_kernel_hint(machine, with_cloud), "");
  machine.architecture = "aarch64";
  EXPECT_EQ(cloud_kernel_hint(machine, kStandard), "");
}

}  // namespace
}  // namespace kd
