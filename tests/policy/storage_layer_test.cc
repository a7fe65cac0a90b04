// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/storage_layer.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::HasSubstr;

struct Shape {
  const char* name;
  // Nearest first: below /sys, subsystem, modalias, driver. Drivers of a kernel that has everything
  // built in have no module, so none is given.
  std::vector<BusNode> chain;
};

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

BusNode node(const char* path, const char* subsystem = "", const char* driver = "",
             const char* modalias = "") {
  return {
      .path = path, .subsystem = subsystem, .modalias = modalias, .driver = driver, .module = {}};
}

std::string layer_of(const std::vector<BusNode>& chain, const char* layer = "") {
  BlockDevice disk;
  disk.name = "disk";
  disk.layer = layer;
  disk.chain = chain;
  return foreign_layer(disk);
}

// The devices of Linux 6.1 to 7.2 as their bus drivers name them.
const std::vector<Shape> kLocal = {
    {"virtio_pci",
     {node("devices/pci0000:00/0000:00:04.0/virtio1/block/vda", "block"),
      node("devices/pci0000:00/0000:00:04.0/virtio1", "virtio", "virtio_blk"),
      node("devices/pci0000:00/0000:00:04.0", "pci", "virtio-pci"), node("devices/pci0000:00")}},
    {"virtio_mmio",
     {node("devices/platform/LNRO0005:00/virtio0/block/vda", "block"),
      node("devices/platform/LNRO0005:00/virtio0", "virtio", "virtio_blk"),
      node("devices/platform/LNRO0005:00", "platform", "virtio-mmio"), node("devices/platform")}},
    {"virtio_mmio_on_the_command_line",
     {node("devices/virtio-mmio-cmdline/virtio-mmio.0/virtio0/block/vda", "block"),
      node("devices/virtio-mmio-cmdline/virtio-mmio.0/virtio0", "virtio", "virtio_blk"),
      node("devices/virtio-mmio-cmdline/virtio-mmio.0", "platform", "virtio-mmio"),
      node("devices/virtio-mmio-cmdline")}},
    {"sata",
     {node("devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", "scsi", "sd"),
      node("devices/pci0000:00/0000:00:1f.2/ata1/host0", "scsi"),
      node("devices/pci0000:00/0000:00:1f.2", "pci", "ahci",
           "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01")}},
    {"sas",
     {node("devices/pci0000:00/0000:00:05.0/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0",
           "scsi", "sd"),
      node("devices/pci0000:00/0000:00:05.0/host0/port-0:0/end_device-0:0"),
      node("devices/pci0000:00/0000:00:05.0/host0/port-0:0"),
      node("devices/pci0000:00/0000:00:05.0/host0", "scsi"),
      node("devices/pci0000:00/0000:00:05.0", "pci", "mpt3sas",
           "pci:v00001000d00000097sv00001000sd00003090bc01sc07i00")}},
    {"fibre_channel",
     {node("devices/pci0000:00/0000:00:05.0/host0/rport-0:0-0/target0:0:0/0:0:0:0", "scsi", "sd"),
      node("devices/pci0000:00/0000:00:05.0/host0/rport-0:0-0"),
      node("devices/pci0000:00/0000:00:05.0/host0", "scsi"),
      node("devices/pci0000:00/0000:00:05.0", "pci", "qla2xxx",
           "pci:v00001077d00002261sv00001077sd00000299bc0Csc04i00")}},
    {"usb",
     {node("devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host0/target0:0:0/0:0:0:0", "scsi",
           "sd"),
      node("devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0", "usb", "uas"),
      node("devices/pci0000:00/0000:00:14.0/usb2/2-1", "usb", "usb"),
      node("devices/pci0000:00/0000:00:14.0/usb2", "usb", "usb"),
      node("devices/pci0000:00/0000:00:14.0", "pci", "xhci_hcd",
           "pci:v00008086d0000A36Dsv00001028sd000008B9bc0Csc03i30")}},
    {"sd_card_on_pci",
     {node("devices/pci0000:00/0000:00:03.0/mmc_host/mmc0/mmc0:4567", "mmc", "mmcblk", "mmc:block"),
      node("devices/pci0000:00/0000:00:03.0/mmc_host/mmc0", "mmc_host"),
      node("devices/pci0000:00/0000:00:03.0", "pci", "sdhci-pci",
           "pci:v00001B36d00000007sv00001AF4sd00001100bc08sc05i01")}},
    {"emmc_of_a_device_tree",
     {node("devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:0001", "mmc", "mmcblk",
           "mmc:block"),
      node("devices/platform/soc/fe340000.mmc/mmc_host/mmc0", "mmc_host"),
      node("devices/platform/soc/fe340000.mmc", "platform", "sdhci-iproc",
           "of:NmmcT(null)Cbrcm,bcm2711-emmc2"),
      node("devices/platform/soc", "platform")}},
    {"amba",
     {node("devices/platform/soc/9006000.mmc/mmc_host/mmc0/mmc0:0001", "mmc", "mmcblk"),
      node("devices/platform/soc/9006000.mmc", "amba", "mmci-pl18x", "amba:d00041180")}},
    {"nvme",
     {node("devices/pci0000:00/0000:00:1d.0/0000:04:00.0/nvme/nvme0/nvme0n1", "block"),
      node("devices/pci0000:00/0000:00:1d.0/0000:04:00.0/nvme/nvme0", "nvme"),
      node("devices/pci0000:00/0000:00:1d.0/0000:04:00.0", "pci", "nvme",
           "pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02")}},
    {"nvme_of_a_subsystem",
     {node("devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "block"),
      node("devices/virtual/nvme-subsystem/nvme-subsys0", "nvme-subsystem"),
      node("devices/pci0000:00/0000:00:06.0/nvme/nvme0", "nvme"),
      node("devices/pci0000:00/0000:00:06.0", "pci", "nvme")}},
    {"nvme_behind_vmd",
     {node("devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e1:00.0/nvme/nvme0", "nvme"),
      node("devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e1:00.0", "pci", "nvme"),
      node("devices/pci0000:00/0000:00:0e.0", "pci", "vmd")}},
    {"xen",
     {node("devices/vbd-51712/block/xvda", "block"),
      node("devices/vbd-51712", "xen", "vbd", "xen:vbd")}},
    {"hyper_v",
     {node(
          "devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0004:00/VMBUS:00/f8b3781a/host0/target0:0:0/0:0:0:0",
          "scsi", "sd"),
      node("devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0004:00/VMBUS:00/f8b3781a", "vmbus", "hv_storvsc"),
      node("devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0004:00/VMBUS:00", "acpi", "hv_vmbus")}},
    {"persistent_memory",
     {node("devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0/namespace0.0/block/pmem0",
           "block"),
      node("devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0/namespace0.0", "nd",
           "nd_pmem", "nd:t4"),
      node("devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00", "acpi", "nfit")}},
    {"dasd",
     {node("devices/css0/0.0.0001/0.0.0100/block/dasda", "block"),
      node("devices/css0/0.0.0001/0.0.0100", "ccw", "dasd-eckd"),
      node("devices/css0/0.0.0001", "css", "io_subchannel"), node("devices/css0")}},
    {"zfcp",
     {node("devices/css0/0.0.0015/0.0.1700/host0/rport-0:0-0/target0:0:0/0:0:0:0", "scsi", "sd"),
      node("devices/css0/0.0.0015/0.0.1700", "ccw", "zfcp")}},
    {"vscsi_of_powervm",
     {node("devices/vio/30000002/host0/target0:0:1/0:0:1:0", "scsi", "sd"),
      node("devices/vio/30000002", "vio", "ibmvscsi")}},
};

class LocalDisk : public testing::TestWithParam<Shape> {};

TEST_P(LocalDisk, IsReachedByItsDrivers) { EXPECT_EQ(layer_of(GetParam().chain), ""); }

std::string shape_name(const testing::TestParamInfo<Shape>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Shapes, LocalDisk, testing::ValuesIn(kLocal), shape_name);

TEST(ForeignLayer, IscsiInSoftwareAndByAnAdapter) {
  EXPECT_EQ(layer_of({node("devices/platform/host4/session1/target4:0:0/4:0:0:1", "scsi", "sd"),
                      node("devices/platform/host4/session1/target4:0:0", "scsi"),
                      node("devices/platform/host4/session1"),
                      node("devices/platform/host4", "scsi"), node("devices/platform")}),
            "an iSCSI disk");
  EXPECT_EQ(layer_of({node("devices/pci0000:00/0000:00:05.0/host0/session12/target0:0:0/0:0:0:0",
                           "scsi", "sd"),
                      node("devices/pci0000:00/0000:00:05.0/host0/session12"),
                      node("devices/pci0000:00/0000:00:05.0", "pci", "qla4xxx")}),
            "an iSCSI disk");
}

TEST(ForeignLayer, NvmeOverANetworkWithOneAndWithManyPaths) {
  const std::vector<BusNode> one = {node("devices/virtual/nvme-fabrics/ctl/nvme0/nvme0n1", "block"),
                                    node("devices/virtual/nvme-fabrics/ctl/nvme0", "nvme"),
                                    node("devices/virtual/nvme-fabrics/ctl", "nvme-fabrics")};
  EXPECT_EQ(layer_of(one, "tcp"), "an NVMe disk over tcp");
  std::vector<BusNode> many = {
      node("devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "block"),
      node("devices/virtual/nvme-subsystem/nvme-subsys0", "nvme-subsystem")};
  many.insert(many.end(), one.begin() + 1, one.end());
  EXPECT_EQ(layer_of(many, "rdma"), "an NVMe disk over rdma");
  EXPECT_EQ(layer_of(many), "an NVMe disk over a network");
}

TEST(ForeignLayer, DisksOfAServerBehindANetworkAdapter) {
  EXPECT_EQ(layer_of({node("devices/rbd/0/block/rbd0", "block"), node("devices/rbd/0", "rbd"),
                      node("devices/rbd")}),
            "an RBD disk");
  EXPECT_THAT(layer_of({node("devices/pci0000:00/0000:00:05.0/net/eth0/ctlr_0/host5/rport-5:0-0/"
                             "target5:0:0/5:0:0:0",
                             "scsi", "sd"),
                        node("devices/pci0000:00/0000:00:05.0/net/eth0/ctlr_0", "fcoe"),
                        node("devices/pci0000:00/0000:00:05.0/net/eth0", "net"),
                        node("devices/pci0000:00/0000:00:05.0", "pci", "ixgbe")}),
              HasSubstr("Fibre Channel over Ethernet"));
  for (const char* adapter : {"pci:v000015B3d0000101Bsv000015B3sd00000007bc02sc07i00",
                              "pci:v000015B3d0000673Csv000015B3sd00000018bc0Csc06i00"}) {
    EXPECT_EQ(
        layer_of({node("devices/pci0000:00/0000:00:05.0/host6/target6:0:0/6:0:0:0", "scsi", "sd"),
                  node("devices/pci0000:00/0000:00:05.0", "pci", "mlx5_core", adapter),
                  node("devices/pci0000:00/0000:00:01.0", "pci", "pcieport",
                       "pci:v00008086d00003420sv00000000sd00000000bc06sc04i00")}),
        "a disk behind a network adapter");
  }
  EXPECT_EQ(layer_of({node("devices/platform/vhci_hcd.0/usb5/5-1/5-1:1.0", "usb", "usb-storage"),
                      node("devices/platform/vhci_hcd.0", "platform", "vhci_hcd")}),
            "a USB disk over IP");
}

TEST(ForeignLayer, DisksMadeOfMemory) {
  EXPECT_EQ(layer_of({node("devices/pseudo_0/adapter0/host0/target0:0:0/0:0:0:0", "scsi", "sd"),
                      node("devices/pseudo_0/adapter0", "pseudo", "scsi_debug")}),
            "a disk of scsi_debug");
  EXPECT_THAT(layer_of({node("devices/tcm_loop_0/tcm_loop_adapter_0", "tcm_loop_bus", "tcm_loop")}),
              HasSubstr("SCSI target"));
}

TEST(ForeignLayer, ADiskThatOnlyItsUpperDriverKnows) {
  const char* unknown = "a disk whose controller and driver /sys does not show";
  EXPECT_EQ(layer_of({}), unknown);
  EXPECT_EQ(layer_of({node("devices/platform/host9/target9:0:0/9:0:0:0", "scsi", "sd"),
                      node("devices/platform/host9", "scsi"), node("devices/platform")}),
            unknown);
  EXPECT_EQ(layer_of({node("devices/other/mmc0:0001", "mmc", "mmcblk")}), unknown);
}

TEST(ForeignLayer, DevicesThatAreVirtualByName) {
  for (const auto& [name, layer] : {std::pair{"nbd0", "an NBD device"},
                                    {"zram1", "a zram device"},
                                    {"drbd10", "a DRBD device"},
                                    {"etherd!e1.2", "an ATA over Ethernet disk"},
                                    {"rnbd0", "an RNBD disk"},
                                    {"ram0", "a RAM disk"},
                                    {"bcache0", "a bcache device"},
                                    {"zd16", "a ZFS volume"},
                                    {"ublkb0", "a ublk device"},
                                    {"xyz0", "a device of an unknown kind"}}) {
    BlockDevice device;
    device.name = name;
    device.kind = BlockKind::kOther;
    EXPECT_EQ(foreign_layer(device), layer) << name;
  }
}

}  // namespace
}  // namespace kd
