// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "builder/init/storage/volume_key.h"

namespace kdinit {

struct FakeKeys final : VolumeKeys {
  int provide(luks::KeySource source, std::string_view uuid) override {
    asked.push_back((source == luks::KeySource::kKernel ? "kernel " : "image ") +
                    std::string(uuid));
    return error;
  }
  int error = 0;
  std::vector<std::string> asked;
};

}  // namespace kdinit
