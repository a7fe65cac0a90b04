// SPDX-License-Identifier: GPL-2.0-or-later
//
// Volumes of LUKS: what init would read of them at the crash, read beforehand. Never a key.
#pragma once

#include <optional>
#include <string_view>

#include "builder/base/rooted_reader.h"
#include "builder/facts/block_devices.h"

namespace kd {

// What the uuid of a mapped device tells ("CRYPT-LUKS2-", 32 digits, "-" and its name). Nothing for
// other devices, and for what cryptsetup encrypts without LUKS.
std::optional<EncryptedVolume> encrypted_volume_of_uuid(std::string_view uuid);

// Tells of every encrypted volume in `devices` what its header says, by init's own parser.
void read_encrypted_volumes(const RootedReader& reader, DeviceMap& devices);

}  // namespace kd
