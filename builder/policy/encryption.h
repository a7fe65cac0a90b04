// SPDX-License-Identifier: GPL-2.0-or-later
//
// Volumes of LUKS on the way to the hardware: who has their key, and what the cipher takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/facts/kdump_config.h"
#include "builder/facts/machine.h"
#include "modsel/select.h"

namespace kd {

// How the key of a volume comes into the capture kernel, see kdinit::luks::KeySource.
enum class VolumeKey { kNone, kImage, kKernel };

// KDUMP_LUKS_KEY wins. `hands_over`: the kernel has CONFIG_CRASH_DM_CRYPT.
[[nodiscard]] VolumeKey volume_key(const KdumpConfig& config, bool hands_over);

// The first encrypted device on the way down from a mount, of LUKS or not; nullptr without one.
[[nodiscard]] const BlockDevice* encrypted_below(const MachineFacts& machine,
                                                 const DumpMount& mount);

// Why init cannot open a volume that it would understand; `path` lies on it.
[[nodiscard]] Result<void> check_encrypted(const BlockDevice& device, std::string_view path,
                                           VolumeKey key);

// The parameters of its layer in the configuration of init.
[[nodiscard]] std::string opening_of(const EncryptedVolume& volume, VolumeKey key);

// dm-crypt with everything that its cipher ("aes-xts-plain64") is made of: the capture kernel has
// no modprobe that would answer its requests. `loaded`: modules of this machine, of which those
// that make the cipher fast are taken as well.
void want_cipher(std::string_view cipher, const std::vector<std::string>& loaded,
                 const std::string& reason, std::vector<modsel::Wanted>& wanted);

}  // namespace kd
