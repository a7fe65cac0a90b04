// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>

#include "builder/facts/initramfs_config.h"
#include "builder/facts/kdump_config.h"
#include "builder/facts/shell_assignments.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto variables = kd::parse_shell_assignments(text, "file")) {
    (void)kd::interpret_kdump_config(*variables);
  }
  (void)kd::split_words(text);
  (void)kd::parse_module_list(text, "file");
  return 0;
}
