// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/storage_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "builder/base/path.h"

namespace kd {
namespace {

using Named = std::pair<std::string_view, std::string_view>;

// Disks below /sys/devices/virtual/block, by what the kernel calls them. The module of each would
// load, and show a device that a program or a server has yet to fill.
constexpr std::array<Named, 9> kVirtualDisks = {{{"nbd", "an NBD device"},
                                                 {"drbd", "a DRBD device"},
                                                 {"etherd!", "an ATA over Ethernet disk"},
                                                 {"rnbd", "an RNBD disk"},
                                                 {"zram", "a zram device"},
                                                 {"ram", "a RAM disk"},
                                                 {"bcache", "a bcache device"},
                                                 {"zd", "a ZFS volume"},
                                                 {"ublkb", "a ublk device"}}};

// Subsystems of a chain whose disks come over a network, or out of memory.
constexpr std::array<Named, 5> kForeignBuses = {
    {{"rbd", "an RBD disk"},
     {"net", "a disk of Fibre Channel over Ethernet"},
     {"fcoe", "a disk of Fibre Channel over Ethernet"},
     {"pseudo", "a disk of scsi_debug"},
     {"tcm_loop_bus", "a disk of the kernel's SCSI target"}}};

// Controllers that are there without hardware.
constexpr std::array<Named, 2> kForeignDrivers = {
    {{"vhci_hcd", "a USB disk over IP"}, {"dummy_hcd", "a disk of the USB gadget emulator"}}};

constexpr std::array<std::string_view, 3> kUpperBuses = {"scsi", "mmc", "memstick"};

std::string_view name_in(const auto& table, std::string_view key) {
  const auto found = std::ranges::find(table, key, &Named::first);
  return found == table.end() ? std::string_view() : found->second;
}

// "session3", as drivers/scsi/scsi_transport_iscsi.c names what lies between host and target, with
// iSCSI in software (below devices/platform) as with an adapter.
bool is_iscsi_session(const BusNode& node) {
  constexpr std::string_view kSession = "session";
  const std::string_view name = base_name(node.path);
  return node.subsystem.empty() && name.starts_with(kSession) && name.size() > kSession.size() &&
         name.find_first_not_of("0123456789", kSession.size()) == std::string_view::npos;
}

// A network card (class 02) or an InfiniBand adapter (class 0c06) that shows disks shows those of a
// server: SRP and iSER hang their hosts on the adapter. Functions for storage have classes 01 and
// 0c04 (Fibre Channel) of their own.
bool is_network_card(const BusNode& node) {
  return node.subsystem == "pci" && (node.modalias.find("bc02sc") != std::string::npos ||
                                     node.modalias.find("bc0Csc06") != std::string::npos);
}

std::string layer_of_disk(const BlockDevice& disk) {
  bool driven = false;
  const BusNode* pci = nullptr;  // the nearest; those above it are bridges
  for (const BusNode& node : disk.chain) {
    if (node.subsystem == "nvme-fabrics") {
      return fmt::format("an NVMe disk over {}", disk.layer.empty() ? "a network" : disk.layer);
    }
    if (is_iscsi_session(node)) return "an iSCSI disk";
    if (const auto name = name_in(kForeignBuses, node.subsystem); !name.empty()) {
      return std::string(name);
    }
    if (const auto name = name_in(kForeignDrivers, node.driver); !name.empty()) {
      return std::string(name);
    }
    if (pci == nullptr && node.subsystem == "pci") pci = &node;
    driven = driven || (!node.driver.empty() && !is_upper_bus(node.subsystem));
  }
  if (pci != nullptr && is_network_card(*pci)) return "a disk behind a network adapter";
  return driven ? "" : "a disk whose controller and driver /sys does not show";
}

std::string with_type(std::string_view what, const BlockDevice& device) {
  return device.layer.empty() ? std::string(what)
                              : fmt::format("{} of type {}", what, device.layer);
}

// Empty without a problem: a layer that nobody could read is no other one, and to try again may
// help.
std::string with_problem(std::string_view what, std::string_view problem) {
  return problem.empty() ? "" : fmt::format("{} ({})", what, problem);
}

std::string layer_of_mapped(const BlockDevice& device) {
  if (device.volume) return with_problem("a logical volume of LVM", device.volume->problem);
  if (device.encrypted) return with_problem("an encrypted volume", device.encrypted->problem);
  if (device.multipath) return with_problem("a multipath disk", device.multipath->problem);
  return with_type("a device mapper", device);
}

std::string layer_of_array(const BlockDevice& device) {
  const std::string raid = with_type("an MD RAID", device);
  return device.array ? with_problem(raid, device.array->problem) : raid;
}

std::string layer_of_virtual(const BlockDevice& device) {
  const auto found = std::ranges::find_if(
      kVirtualDisks, [&](const Named& row) { return device.name.starts_with(row.first); });
  return std::string(found == kVirtualDisks.end() ? "a device of an unknown kind" : found->second);
}

}  // namespace

bool is_upper_bus(std::string_view subsystem) {
  return std::ranges::find(kUpperBuses, subsystem) != kUpperBuses.end();
}

std::string foreign_layer(const BlockDevice& device) {
  switch (device.kind) {
    case BlockKind::kDisk:
      return layer_of_disk(device);
    case BlockKind::kPartition:
      return {};
    case BlockKind::kDeviceMapper:
      return layer_of_mapped(device);
    case BlockKind::kMd:
      return layer_of_array(device);
    case BlockKind::kLoop:
      return "a loop device";
    case BlockKind::kOther:
      break;
  }
  return layer_of_virtual(device);
}

}  // namespace kd
