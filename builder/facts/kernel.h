// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "builder/base/rooted_reader.h"
#include "builder/facts/kernel_image.h"

namespace kd {

// Whether it can be a release in a path or an argument: one printable path component that starts
// with a digit or letter.
bool is_kernel_version(std::string_view version);

struct KernelFacts {
  std::string version;
  std::string modules_dir;       // in the root: /lib/modules/V or /usr/lib/modules/V
  std::string modules_dir_host;  // the same on the host
  std::string vmlinuz;           // in the root; empty when not found: the image can still be built
  KernelImage image;             // what the file says of the memory it needs
  std::string config;            // the text: 10,000 options, of which one or two are asked for
  // `option` ("CONFIG_RD_ZSTD") is y, or unknown because no config was found.
  [[nodiscard]] bool may_have(std::string_view option) const;
  // It is y.
  [[nodiscard]] bool has(std::string_view option) const;
};

// A vmlinuz that is a bzImage and cut off is an error. Not found: ErrorKind::kKernelNotFound with
// the versions that are there. vmlinuz: /boot/vmlinuz-V, /boot/vmlinux-V, <modules>/vmlinuz;
// config: /boot/config-V, <modules>/config.
Result<KernelFacts> gather_kernel(const RootedReader& reader, std::string_view version);

}  // namespace kd
