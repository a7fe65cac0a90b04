// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/disk_integrity.h"

#include <fmt/format.h>

#include "builder/facts/device_files.h"

namespace kd {

std::string read_disk_integrity(const FileReader& reader) {
  std::string found;
  for (const std::string& disk : reader.list("/sys/block").value_or(std::vector<std::string>())) {
    found = read_attribute(reader, fmt::format("/sys/block/{}/integrity/format", disk));
    if (found != kNoIntegrity) break;
  }
  return found;
}

}  // namespace kd
