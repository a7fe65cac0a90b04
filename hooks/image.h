// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images: kdump-mkinitrd's, and where it does not support the target, those of initramfs-tools.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hooks/context.h"

namespace kd {

struct BuildOptions {
  bool quiet = true;
  std::string facts;    // a recorded machine in place of this one; empty: none
  std::string crashed;  // kernel whose memory is dumped; empty: that of the image
};

// Builds the image of `version` when it is not fresh; the old one stays until there is a new one.
// The error has the kind of kdump-mkinitrd's exit code. When that is kTargetNotSupported,
// mkinitramfs makes an image that boots the real root, where
// kdump-tools-dump.service saves the dump. The caller holds the lock.
Result<void> build_image(const Context& context, const KdumpConfig& config,
                         std::string_view version, const BuildOptions& options = {});

// Has kdump-mkinitrd find with QEMU what a kernel takes for itself, in a minute or two in which it
// talks to the administrator. Returns the exit code; what went wrong has been said then.
Result<int> calibrate(const Context& context, std::string_view version);

// The report of kdump-mkinitrd, as JSON, on the image it would build with a layout.
Result<std::string> dry_report(const Context& context, std::string_view version,
                               std::string_view variant, const BuildOptions& options = {});

// The report of kdump-mkinitrd, as JSON, on the memory that a capture of kernel `version` takes
// with the image at `path`, which boots the real root.
Result<std::string> root_image_report(const Context& context, const std::string& path,
                                      std::string_view version);

struct Freshness {
  enum class State { kFresh, kStale, kUnknown };
  State state = State::kUnknown;
  std::vector<std::string> reasons;  // of kStale and kUnknown
};
// Changes nothing. `crashed` as in BuildOptions.
Freshness check_image(const Context& context, std::string_view version,
                      std::string_view crashed = {});

// Whether build_image() would succeed, as far as that can be known without building. Changes
// nothing. True: with an image that saves the dump itself or hands over as configured; false: with
// one of mkinitramfs.
Result<bool> try_build(const Context& context, std::string_view version,
                       std::string_view crashed = {});

// The kernel whose memory the image of `version` on disk was made for; `version` where nobody
// knows.
std::string image_is_for(const FileReader& reader, std::string_view version);

}  // namespace kd
