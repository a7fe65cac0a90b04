// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "builder/facts/sysctl_conf.h"
#include "builder/init/init_config.h"

// What is accepted here, init accepts too, except for its limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto settings = kd::parse_sysctl_conf({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!settings) return 0;
  for (const std::string& setting : *settings) {
    if (setting.size() > kdinit::kMaxValueBytes) continue;
    const std::string text =
        "kdump-init 2\nkernel k\ncapture rootfs\nroot-type ext4\nroot-uuid u\nsysctl " + setting;
    kdinit::InitConfig config;
    if (kdinit::parse(text, config).line != 0) std::abort();
  }
  return 0;
}
