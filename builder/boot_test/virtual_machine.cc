// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/virtual_machine.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// Memory of the machine besides the reservation and what holds the image before it is loaded.
constexpr std::uint64_t kMemory = 1024 * kMiB;

struct Controller {
  std::string_view driver;  // in the chain of the disk
  std::string_view first, second;
};
// Nearest the disk first: virtio_scsi and usb-storage are below sd's SCSI layer, as ahci is.
constexpr std::array<Controller, 6> kControllers = {{
    {"virtio_blk", "virtio-blk-pci,drive=target", ""},
    {"nvme", "nvme,drive=target,serial=target", ""},
    {"virtio_scsi", "virtio-scsi-pci,id=scsi", "scsi-hd,drive=target,bus=scsi.0"},
    {"ahci", "ahci,id=ahci", "ide-hd,drive=target,bus=ahci.0"},
    {"usb-storage", "qemu-xhci,id=xhci", "usb-storage,drive=target,bus=xhci.0"},
    {"uas", "qemu-xhci,id=xhci", "usb-storage,drive=target,bus=xhci.0"},
}};

// The only disk below the target; null when there are layers or several.
const BlockDevice* disk_of(const MachineFacts& machine) {
  const BlockDevice* device = find_device(machine, machine.dump_mount.device);
  if (device != nullptr && device->kind == BlockKind::kPartition && device->below.size() == 1) {
    device = find_device(machine, device->below.front());
  }
  const bool plain = device != nullptr && device->kind == BlockKind::kDisk;
  return plain && machine.dump_mount.members.size() < 2 ? device : nullptr;
}

Result<std::vector<std::string>> make_command(const DumpMount& mount) {
  if (mount.uuid.empty()) return fail(ErrorKind::kTargetNotSupported, "the target has no UUID");
  const std::string& type = mount.fs_type;
  if (type == "ext2" || type == "ext3" || type == "ext4") {
    return std::vector<std::string>{"mkfs." + type, "-q", "-F", "-U", mount.uuid};
  }
  if (type == "xfs") {
    return std::vector<std::string>{"mkfs.xfs", "-q", "-f", "-m", "uuid=" + mount.uuid};
  }
  if (type == "btrfs" && mount.root == "/") {
    return std::vector<std::string>{"mkfs.btrfs", "-q", "-f", "-U", mount.uuid};
  }
  if (type == "vfat") {
    std::string number = mount.uuid;
    std::erase(number, '-');
    return std::vector<std::string>{"mkfs.vfat", "-i", number};
  }
  return fail(ErrorKind::kTargetNotSupported,
              "a boot test cannot imitate {} {} as the dump file system", type, mount.root);
}

}  // namespace

WithoutLayers without_layers(MachineFacts machine) {
  if (disk_of(machine) != nullptr) return {std::move(machine), {}};
  WithoutLayers result;
  const BlockDevice* device = find_device(machine, machine.dump_mount.device);
  // A device is never below itself, so this ends (see check_machine()).
  while (device != nullptr && !device->below.empty()) {
    // lvm hides parts of a volume below it.
    if (!device->layer.empty() &&
        (result.left_out.empty() || result.left_out.back() != device->layer)) {
      result.left_out.push_back(device->layer);
    }
    device = find_device(machine, device->below.front());
  }
  if (device == nullptr) return {std::move(machine), {}};
  if (machine.dump_mount.members.size() > 1) {
    result.left_out.push_back("other disks of " + machine.dump_mount.fs_type);
  }
  machine.dump_mount.device = machine.dump_mount.source = device->name;
  machine.dump_mount.members.clear();
  machine.root_mount.reset();
  machine.devices = {BlockDevice(*device)};
  result.machine = std::move(machine);
  return result;
}

Result<TestDisk> test_disk(const MachineFacts& machine) {
  TestDisk result;
  KD_TRY(result.make_command, make_command(machine.dump_mount));
  const BlockDevice* disk = disk_of(machine);
  if (disk == nullptr) {
    return fail(ErrorKind::kTargetNotSupported,
                "a boot test can imitate one disk or partition, not the layers of {}",
                machine.dump_mount.source);
  }
  for (const Controller& controller : kControllers) {
    if (std::ranges::find(disk->chain, controller.driver, &BusNode::driver) == disk->chain.end()) {
      continue;
    }
    result.devices.emplace_back(controller.first);
    if (!controller.second.empty()) result.devices.emplace_back(controller.second);
    return result;
  }
  return fail(ErrorKind::kTargetNotSupported, "QEMU has no controller like that of {}", disk->name);
}

std::vector<std::string> qemu_command(const TestMachine& machine) {
  std::vector<std::string> argv = {machine.qemu,
                                   "-accel",
                                   machine.kvm ? "kvm" : "tcg,thread=multi",
                                   "-cpu",
                                   machine.kvm ? "host" : "max",
                                   "-m",
                                   std::to_string(machine.memory / kMiB),
                                   "-nodefaults",
                                   "-no-user-config",
                                   "-display",
                                   "none",
                                   "-serial",
                                   "stdio",
                                   "-no-reboot",
                                   "-kernel",
                                   machine.kernel,
                                   "-initrd",
                                   machine.initrd,
                                   "-append",
                                   machine.command_line};
  if (!machine.disk.empty()) {
    argv.insert(
        argv.end(),
        {"-drive", fmt::format("if=none,id=target,format=raw,cache=unsafe,file={}", machine.disk)});
  }
  for (const std::string& device : machine.devices) argv.insert(argv.end(), {"-device", device});
  return argv;
}

std::uint64_t memory_for(std::uint64_t reservation) { return kMemory + 2 * reservation; }

std::string first_command_line(std::uint64_t reservation, std::uint64_t start) {
  return fmt::format("console=ttyS0 quiet nokaslr panic=1 crashkernel={}K{}", reservation / 1024,
                     start == 0 ? "" : fmt::format("@{}M", start / kMiB));
}

}  // namespace kd
