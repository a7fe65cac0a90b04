// SPDX-License-Identifier: GPL-2.0-or-later
//
// In the place of assembly.cc and what it is made of for an image without layers, which pays
// nothing for them.
#include "builder/init/storage/assembly.h"

namespace kdinit {
namespace {

class NoAssembly final : public Assembly {
 public:
  void begin(std::span<const Layer> layers) override { any_ = !layers.empty(); }
  std::string_view add(const SeenDevice& /*device*/, BlockReader& /*reader*/) override {
    return {};
  }
  unsigned make(const DeviceDirectories& /*directories*/, bool /*patient*/, TextBuffer& /*made*/,
                TextBuffer& problems) override {
    if (any_) problems.put("the image has an init without layers");
    return 0;
  }
  std::uint64_t room(std::string_view /*path*/) override { return kNoLimit; }

 private:
  bool any_ = false;
};

}  // namespace

Assembly& kernel_assembly() {
  static constinit NoAssembly assembly;
  return assembly;
}

}  // namespace kdinit
