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

// Numbers in releases are compared as numbers: 6.1.0-10 is newer than 6.1.0-9.
bool newer_release(const std::string& a, const std::string& b);

// Whether the text of a config has `option` ("CONFIG_RD_ZSTD") as y.
bool config_has(std::string_view config, std::string_view option);

// The text of the config of a kernel: /boot/config-V or <modules>/config; empty without either.
std::string kernel_config(const FileReader& reader, std::string_view version);

struct KernelFacts {
  std::string version;
  std::string modules_dir;       // in the root: /lib/modules/V or /usr/lib/modules/V
  std::string modules_dir_host;  // the same on the host
  std::string vmlinuz;           // in the root; empty when not found: the image can still be built
  KernelImage image;             // what the file says of the memory it needs
  std::string config;            // the text: 10,000 options, of which one or two are asked for
  // `option` is y, or unknown because no config was found.
  [[nodiscard]] bool may_have(std::string_view option) const;
  // It is y.
  [[nodiscard]] bool has(std::string_view option) const;
};

// A vmlinuz that is a bzImage and cut off is an error. Not found: ErrorKind::kKernelNotFound with
// the versions that are there. vmlinuz: /boot/vmlinuz-V, /boot/vmlinux-V, <modules>/vmlinuz.
Result<KernelFacts> gather_kernel(const RootedReader& reader, std::string_view version);

}  // namespace kd
