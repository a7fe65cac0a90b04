// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/encrypted_root.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <vector>

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

const BlockDevice* encrypted_below(const MachineFacts& machine, const DumpMount& root) {
  std::vector<std::string> next = {root.device};
  // A damaged record may name a device below itself.
  for (std::size_t steps = 0; !next.empty() && steps <= machine.devices.size(); ++steps) {
    const BlockDevice* device = find_device(machine, next.back());
    next.pop_back();
    if (device == nullptr) continue;
    if (device->kind == BlockKind::kDeviceMapper && device->layer == "CRYPT") return device;
    next.insert(next.end(), device->below.begin(), device->below.end());
  }
  return nullptr;
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
