// SPDX-License-Identifier: GPL-2.0-or-later
//
// In the place of volumes.cc and device_mapper.cc for an image without layers, which pays nothing
// for them.
#include <cerrno>

#include "builder/init/storage/volumes.h"

namespace kdinit {

void Volumes::begin(std::span<const Layer> /*layers*/) {}

void Volumes::add(const SeenDevice& /*device*/, BlockReader& /*reader*/) {}

bool Volumes::make(std::size_t /*layer*/, bool /*whole_group*/, DeviceMapper& /*mapper*/,
                   TextBuffer& /*made*/, TextBuffer& problem) {
  problem.put("the image has an init without layers");
  return false;
}

int KernelDeviceMapper::create(std::string_view /*name*/, std::string_view /*uuid*/,
                               const DeviceTable& /*table*/) {
  return ENOSYS;
}

}  // namespace kdinit
