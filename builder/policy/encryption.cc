// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/encryption.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kd {

VolumeKey volume_key(const KdumpConfig& config, bool hands_over) {
  if (!config.luks_key.empty()) return VolumeKey::kImage;
  return hands_over ? VolumeKey::kKernel : VolumeKey::kNone;
}

const BlockDevice* encrypted_below(const MachineFacts& machine, const DumpMount& mount) {
  std::vector<std::string> next = mount.members;
  next.push_back(mount.device);
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

Result<void> check_encrypted(const BlockDevice& device, std::string_view path, VolumeKey key) {
  if (device.encrypted->cipher.empty()) {
    return fail(ErrorKind::kFailed,
                "{} is on {}, an encrypted volume whose header could not be read from {}; run as "
                "root",
                path, device.encrypted->name, fmt::join(device.below, ", "));
  }
  if (key == VolumeKey::kNone) {
    return fail(ErrorKind::kTargetNotSupported,
                "{} is on {}, an encrypted volume whose key a capture kernel does not have: set "
                "KDUMP_COREDIR to a directory on a disk that is not encrypted, or KDUMP_LUKS_KEY "
                "to a file with the volume key, see ENCRYPTED TARGETS in kdump-tools(5); a kernel "
                "with CONFIG_CRASH_DM_CRYPT hands the key over by itself",
                path, device.encrypted->name);
  }
  return {};
}

std::string opening_of(const EncryptedVolume& volume, VolumeKey key) {
  return fmt::format("{} {} {}", key == VolumeKey::kKernel ? "kernel" : "image", volume.cipher,
                     volume.name);
}

void want_cipher(std::string_view cipher, const std::vector<std::string>& loaded,
                 const std::string& reason, std::vector<modsel::Wanted>& wanted) {
  const auto want = [&](std::string what, bool required) {
    wanted.push_back({.what = std::move(what),
                      .otherwise = {},
                      .options = {},
                      .reason = reason,
                      .required = required});
  };
  want("dm_crypt", true);
  // CIPHER-MODE-IV[:HASH]; the kernel makes XTS of a cipher of single blocks ("ecb"), and of the
  // initialisation vectors only ESSIV is a module of its own.
  const std::string_view algorithm = cipher.substr(0, cipher.find('-'));
  for (std::size_t start = 0; start < cipher.size();) {
    const std::size_t end = std::min(cipher.find_first_of("-:()", start), cipher.size());
    const std::string_view part = cipher.substr(start, end - start);
    const bool vector = part.starts_with("plain") || part == "benbi" || part == "null";
    if (!part.empty() && part != "capi" && !vector) want(fmt::format("crypto-{}", part), true);
    start = end + 1;
  }
  want("crypto-ecb", false);
  for (const std::string& module : loaded) {
    if (module.starts_with(algorithm)) want(module, false);
  }
}

}  // namespace kd
