// SPDX-License-Identifier: GPL-2.0-or-later
//
// What init would make of disks: layout_reader FOLDER GROUP-ID VOLUME-ID prints the name, the uuid
// and the table of the device. FOLDER/sys/NAME/{size,dev} and FOLDER/dev/NAME are those of the
// disks.
#include <linux/dm-ioctl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "builder/init/storage/target.h"

namespace kdinit {
namespace {

struct Printer final : DeviceMapper {
  int create(std::string_view name, std::string_view uuid, const DeviceTable& table) override {
    std::printf("%s %s\n", std::string(name).c_str(), std::string(uuid).c_str());
    const char* place = table.bytes().data() + sizeof(dm_ioctl);
    for (std::uint32_t i = 0; i < table.count(); ++i) {
      dm_target_spec target;
      std::memcpy(&target, place, sizeof target);
      std::printf("%llu %llu %s %s\n", target.sector_start, target.length, target.target_type,
                  place + sizeof target);
      place += target.next;
    }
    std::exit(0);  // nothing shows the device, and a scan would make it again
  }
  int put_number(std::string_view /*name*/, TextBuffer& /*number*/) override { return 0; }
  int message(std::string_view /*name*/, std::string_view /*text*/) override { return 0; }
  void remove(std::string_view /*name*/) override {}
};

struct Patience final : Ticker {
  void tick() override {}
};

}  // namespace
}  // namespace kdinit

int main(int argc, char** argv) {
  using namespace kdinit;
  if (argc != 4) return 2;
  const std::string folder = argv[1], sys = folder + "/sys", dev = folder + "/dev";
  Printer mapper;
  KernelArrayDriver arrays;  // neither is asked for anything: the only layer is a logical volume
  KernelVolumeKeys keys;
  LayerAssembly assembly{{.mapper = mapper, .arrays = arrays, .keys = keys}};
  const Layer layer{.kind = LayerKind::kLvm, .id = argv[3], .parameters = argv[2]};
  Candidates found;
  Patience ticker;
  scan_devices({.type = "ext4", .uuid = "-", .layers = {&layer, 1}, .timeout = 0},
               {.sys_block = sys, .dev = dev}, false, assembly, found, ticker);
  std::printf("%s\n", found.problems.c_str());
  return 1;
}
