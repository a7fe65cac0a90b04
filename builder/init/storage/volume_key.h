// SPDX-License-Identifier: GPL-2.0-or-later
//
// Keys of encrypted volumes, put where dm-crypt looks for them: into a keyring of the kernel.
#pragma once

#include <string_view>

#include "builder/init/storage/luks.h"

namespace kdinit {

class VolumeKeys {
 public:
  // The key is then under luks::put_key_description(), as a "logon" key from the image and a "user"
  // key from the kernel. 0 or an errno value. May be called again.
  virtual int provide(luks::KeySource source, std::string_view uuid) = 0;

 protected:
  ~VolumeKeys() = default;
};

class KernelVolumeKeys final : public VolumeKeys {
 public:
  int provide(luks::KeySource source, std::string_view uuid) override;
};

}  // namespace kdinit
