// SPDX-License-Identifier: GPL-2.0-or-later
//
// The machine of a boot test: QEMU with a disk like the target's. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/base/result.h"
#include "builder/facts/machine.h"

namespace kd {

struct TestDisk {
  std::vector<std::string> devices;       // QEMU's -device, for a drive with id "target"
  std::vector<std::string> make_command;  // NAME of mkfs and arguments; the file comes last
};

// The same machine with its target on the first of its disks alone.
struct WithoutLayers {
  MachineFacts machine;
  std::vector<std::string> left_out;  // "LVM", "raid1", "other disks of btrfs"; empty: the same
};
WithoutLayers without_layers(MachineFacts machine);

// ErrorKind::kTargetNotSupported for what cannot be imitated: layers, other controllers,
// subvolumes.
Result<TestDisk> test_disk(const MachineFacts& machine);

struct TestMachine {
  std::string qemu;  // the program
  bool kvm = false;
  std::uint64_t memory = 0;  // bytes
  std::string command_line;
  std::string kernel, initrd;  // files
  std::string disk;            // file; empty: none
  std::vector<std::string> devices;
};
std::vector<std::string> qemu_command(const TestMachine& machine);

// Bytes of memory for a first kernel with this reservation and what holds the image before it is
// loaded.
std::uint64_t memory_for(std::uint64_t reservation);
// Of the first kernel. `start`: where the reservation lies; 0: where the kernel finds room.
std::string first_command_line(std::uint64_t reservation, std::uint64_t start = 0);

}  // namespace kd
