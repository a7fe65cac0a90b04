// SPDX-License-Identifier: GPL-2.0-or-later
//
// A small machine for tests that need one: ext4 on the whole disk vda, mounted at /.
#pragma once

#include "builder/facts/machine.h"

namespace kd {

inline MachineFacts virtio_machine() {
  MachineFacts machine;
  machine.architecture = "x86_64";
  machine.dump_directory = "/var/crash";
  machine.dump_mount = {.mount_point = "/",
                        .root = "/",
                        .fs_type = "ext4",
                        .source = "/dev/vda",
                        .options = "rw,noatime,errors=remount-ro",
                        .device = "vda",
                        .uuid = "11111111-2222-3333-4444-555555555555",
                        .journal = {},
                        .members = {}};
  machine.devices = {{.name = "vda",
                      .kind = BlockKind::kDisk,
                      .layer = {},
                      .below = {},
                      .chain = {{.path = "devices/pci0000:00/0000:00:04.0/virtio1",
                                 .subsystem = "virtio",
                                 .modalias = "virtio:d00000002v00001AF4",
                                 .driver = "virtio_blk",
                                 .module = "virtio_blk"},
                                {.path = "devices/pci0000:00/0000:00:04.0",
                                 .subsystem = "pci",
                                 .modalias = "pci:v00001AF4d00001001",
                                 .driver = "virtio-pci",
                                 .module = "virtio_pci"},
                                {.path = "devices/pci0000:00",
                                 .subsystem = {},
                                 .modalias = {},
                                 .driver = {},
                                 .module = {}}}}};
  machine.reservation = std::uint64_t{96} << 20;
  machine.ram = std::uint64_t{1} << 30;
  machine.time_zone = "CET-1CEST,M3.5.0,M10.5.0/3";
  return machine;
}

}  // namespace kd
