// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "modsel/modprobe_conf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  modsel::ModprobeConf conf;
  modsel::parse_modprobe_conf(text, "fuzz.conf", conf);
  // Every name is as the lookups expect it: normal, and one word.
  for (const modsel::ModprobeConf::SoftDependencies& entry : conf.softdeps) {
    for (const std::string& name : entry.pre) {
      if (name.empty() || name != modsel::normalise(name)) std::abort();
    }
  }
  for (const modsel::ModprobeConf::Alias& entry : conf.aliases) {
    if (entry.pattern.empty() || entry.module.empty()) std::abort();
  }
  return 0;
}
