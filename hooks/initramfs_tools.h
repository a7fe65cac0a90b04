// SPDX-License-Identifier: GPL-2.0-or-later
//
// The other way to an image: mkinitramfs(8) of initramfs-tools, as kdump-tools uses it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hooks/context.h"

namespace kd {

// Writes /var/lib/kdump/initrd.img-VERSION with mkinitramfs unless it is there and made of what is
// there now. `why` says why this way is taken; it is said, and it is the error when mkinitramfs is
// not installed.
Result<void> build_with_initramfs_tools(const Context& context, std::string_view version,
                                        std::string_view why);

// What such an image is made of and was added, changed or removed since.
std::vector<std::string> changed_since_image(const RootedReader& reader, std::string_view version);

}  // namespace kd
