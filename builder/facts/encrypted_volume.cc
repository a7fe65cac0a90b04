// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/encrypted_volume.h"

#include <set>
#include <string>
#include <vector>

#include "builder/base/fd.h"
#include "builder/facts/device_files.h"
#include "builder/init/storage/container.h"
#include "builder/init/storage/luks.h"

namespace kd {
namespace {

namespace luks = kdinit::luks;

// The devices below a volume, through those that cryptsetup puts in between (integrity tags, the
// zone that is being reencrypted).
void add_below(const DeviceMap& devices, const std::string& name, std::set<std::string>& found) {
  const auto device = devices.find(name);
  if (device == devices.end()) return;
  for (const std::string& below : device->second.below) {
    const auto next = devices.find(below);
    if (found.insert(below).second && next != devices.end() && next->second.layer == "CRYPT") {
      add_below(devices, below, found);
    }
  }
}

// False when the device cannot be read.
bool read_header(const RootedReader& reader, const std::string& name, EncryptedVolume& volume) {
  const Fd fd = open_block_device(reader, name);
  if (!fd.valid()) return false;
  kdinit::FileReader device(fd.get());
  std::vector<char> buffer(luks::kMaxJsonBytes);
  luks::Header header;
  const char* problem = luks::read_header(device, buffer, header);
  if (header.uuid.view() != volume.uuid) return true;
  // Init does not look for a header behind another signature.
  const std::string_view container = kdinit::container_on(device);
  if (problem != nullptr) {
    volume.problem = problem;
  } else if (container != kdinit::kLuksVolume) {
    volume.problem = fmt::format("{} has the signature of {}", name, container);
  } else {
    volume.problem.clear();
    volume.cipher = header.cipher.view();
    volume.key_size = header.key_size;
  }
  return true;
}

}  // namespace

std::optional<EncryptedVolume> encrypted_volume_of_uuid(std::string_view uuid) {
  constexpr std::size_t kDigits = 32;
  for (const std::string_view prefix : {"CRYPT-LUKS1-", "CRYPT-LUKS2-"}) {
    if (!uuid.starts_with(prefix) || uuid.size() < prefix.size() + kDigits + 2 ||
        uuid[prefix.size() + kDigits] != '-') {
      continue;
    }
    const std::string_view digits = uuid.substr(prefix.size(), kDigits);
    if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) continue;
    return EncryptedVolume{
        .uuid = fmt::format("{}-{}-{}-{}-{}", digits.substr(0, 8), digits.substr(8, 4),
                            digits.substr(12, 4), digits.substr(16, 4), digits.substr(20)),
        .name = std::string(uuid.substr(prefix.size() + kDigits + 1))};
  }
  return std::nullopt;
}

void read_encrypted_volumes(const RootedReader& reader, DeviceMap& devices) {
  for (auto& [name, device] : devices) {
    if (!device.encrypted) continue;
    std::set<std::string> below;
    add_below(devices, name, below);
    EncryptedVolume volume = *device.encrypted;
    volume.problem = "its header is not on the device";
    bool readable = false;
    for (const std::string& disk : below) {
      readable = read_header(reader, disk, volume) || readable;
    }
    if (readable) device.encrypted = std::move(volume);
  }
}

}  // namespace kd
