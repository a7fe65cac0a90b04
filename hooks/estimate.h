// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which crashkernel= this machine should have, and why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hooks/context.h"
#include "hooks/reservation.h"

namespace kd {

struct Estimate {
  Need need;
  std::string text;
};

// From the reports of kdump-mkinitrd --json for the layouts whole and packed; or twice the one on
// an image that boots the real root. Pure.
Result<Estimate> estimate_of(std::string_view whole, std::string_view packed, bool real_root);

// With `write` the recommendation is kept for the next update-grub. Where only initramfs-tools can
// make an image, it is that image's figure, or the usual one before it is made.
Result<std::string> estimate(const Context& context, bool write);

// Of the image of `version` that is on disk: by its manifest, or weighed. ErrorKind::kFailed:
// nobody can tell.
Result<Need> need_of_image(const Context& context, const KdumpConfig& config,
                           std::string_view version);

// Of any image, by its path; `version` is that of its kernel, empty where nobody knows.
Result<Need> need_of_file(const Context& context, const std::string& image,
                          std::string_view version);

// Keeps what the image of `version` needs for the next update-grub, and says when the reservation
// of this boot is too small for it.
void note_need(const Context& context, const KdumpConfig& config, std::string_view version,
               std::uint64_t reservation, std::uint64_t ram);

}  // namespace kd
