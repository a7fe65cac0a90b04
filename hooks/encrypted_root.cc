// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/encrypted_root.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "builder/policy/encryption.h"

namespace kd {
namespace {

constexpr std::array<std::string_view, 4> kOtherWays = {
    "keyscript=", "tpm2-device=", "pkcs11-uri=", "fido2-device="};

// NAME DEVICE [KEY-FILE [OPTIONS]]
bool volume_asks(const std::string& line) {
  std::istringstream words(line);
  std::string name, device, key, options;
  words >> name >> device >> key >> options;
  if (!key.empty() && key != "none" && key != "-") return false;
  return std::ranges::none_of(
      kOtherWays, [&](std::string_view way) { return options.find(way) != std::string::npos; });
}

}  // namespace

bool asks_for_passphrase(std::string_view crypttab) {
  std::istringstream lines{std::string(crypttab)};
  bool any = false;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string::npos || line[start] == '#') continue;
    any = true;
    if (volume_asks(line)) return true;
  }
  return !any;
}

std::string device_with_passphrase(const MachineFacts& machine, const FileReader& reader) {
  const DumpMount& root = machine.root_mount ? *machine.root_mount : machine.dump_mount;
  const BlockDevice* device = encrypted_below(machine, root);
  if (device == nullptr || !asks_for_passphrase(reader.read("/etc/crypttab").value_or(""))) {
    return {};
  }
  return device->name;
}

}  // namespace kd
