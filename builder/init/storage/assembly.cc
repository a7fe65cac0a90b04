// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/assembly.h"

#include <algorithm>
#include <array>

#include "builder/init/storage/arrays.h"
#include "builder/init/storage/encrypted_volumes.h"
#include "builder/init/storage/multipath.h"
#include "builder/init/storage/volumes.h"

namespace kdinit {
namespace {

// Apart from the object, whose address of its functions would put all of it into the program's
// file.
constinit ArraysMemory arrays_memory;
constinit Arrays arrays(arrays_memory);
constinit VolumesMemory volumes_memory;
constinit Volumes volumes(volumes_memory);
constinit MultipathMemory multipath_memory;
constinit Multipath multipath_disks(multipath_memory);
constinit EncryptedVolumesMemory encrypted_volumes_memory;
constinit EncryptedVolumes encrypted_volumes(encrypted_volumes_memory);

struct Kind {
  LayerKind kind;
  Assembler& assembler;
};
constexpr std::array kKinds = {
    // First, because a path shows whatever is on the disk.
    Kind{LayerKind::kMultipath, multipath_disks},
    // Then, because what lies in an array seems to lie on its members.
    Kind{LayerKind::kMd, arrays},
    Kind{LayerKind::kLvm, volumes},
    Kind{LayerKind::kLuks, encrypted_volumes},
};

Assembler& assembler_of(const Layer& layer) {
  for (const Kind& row : kKinds) {
    if (row.kind == layer.kind) return row.assembler;
  }
  __builtin_unreachable();  // parse() knows no others
}

}  // namespace

void LayerAssembly::begin(std::span<const Layer> layers) {
  layers_ = layers;
  for (const Kind& row : kKinds) row.assembler.begin(layers);
}

std::string_view LayerAssembly::add(const SeenDevice& device, BlockReader& reader) {
  for (const Kind& row : kKinds) {
    const bool wanted = std::any_of(layers_.begin(), layers_.end(),
                                    [&row](const Layer& layer) { return layer.kind == row.kind; });
    if (!wanted) continue;  // some ask disk and /sys for more than what is said of the device
    const std::string_view member = row.assembler.add(device, reader);
    if (!member.empty()) return member;
  }
  return {};
}

unsigned LayerAssembly::make(const DeviceDirectories& directories, bool patient, TextBuffer& made,
                             TextBuffer& problems) {
  unsigned count = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Assembler& assembler = assembler_of(layers_[i]);
    if (assembler.is_active(i, directories)) continue;
    Text<300> device, problem;
    if (assembler.make(i, patient, drivers_, device, problem)) {
      made.put(made.view().empty() ? "" : ", ", device.view());
      ++count;
    } else {
      problems.put(problems.view().empty() ? "" : "; ", problem.view());
    }
  }
  return count;
}

std::uint64_t LayerAssembly::room(std::string_view path, const DeviceDirectories& directories) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  std::uint64_t room = kNoLimit;
  for (const Kind& row : kKinds) room = std::min(room, row.assembler.room(directories, name));
  return room;
}

Assembly& kernel_assembly() {
  static constinit KernelDeviceMapper mapper;
  static constinit KernelArrayDriver driver;
  static constinit KernelVolumeKeys keys;
  static constinit LayerAssembly assembly({.mapper = mapper, .arrays = driver, .keys = keys});
  return assembly;
}

}  // namespace kdinit
