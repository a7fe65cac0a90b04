// SPDX-License-Identifier: GPL-2.0-or-later
//
// Disks of dm-multipath, as /sys shows them and init would find them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"
#include "builder/facts/machine.h"

namespace kd {

// Of a mapped device with this dm/uuid: "mpath-WWID", or "partN-mpath-WWID" as kpartx makes it of a
// partition. `below` names what it is made of. Nothing for other devices.
std::optional<MultipathDisk> find_multipath(const FileReader& reader, std::string_view uuid,
                                            const std::vector<std::string>& below);

}  // namespace kd
