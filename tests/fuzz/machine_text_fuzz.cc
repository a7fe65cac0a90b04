// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>

#include "builder/facts/dma_limits.h"
#include "builder/facts/mount_table.h"
#include "builder/facts/reservation.h"
#include "builder/facts/system_text.h"

// The texts of proc and etc; a damaged table of mounts must not lead a walk in circles.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto table = kd::parse_mountinfo(text)) (void)kd::find_mount(*table, "/var/crash");
  if (const auto table = kd::parse_fstab(text)) (void)kd::find_fstab_entry(*table, "/var/crash");
  (void)kd::parse_ram(text, text);
  (void)kd::parse_loaded_modules(text);
  (void)kd::parse_time_zone(text);
  (void)kd::parse_module_bytes(text);
  (void)kd::parse_memory_encryption(text);
  (void)kd::parse_reservation(text, text, text);
  return 0;
}
