// SPDX-License-Identifier: GPL-2.0-or-later
//
// A directory tree that stands for the root of a machine.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "builder/base/rooted_reader.h"

namespace kd {

class FakeRoot {
 public:
  FakeRoot();
  ~FakeRoot();
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  // Paths are absolute in the root; parents are made.
  FakeRoot& file(const std::string& path, std::string_view content = "");
  FakeRoot& link(const std::string& path, const std::string& target);
  FakeRoot& directory(const std::string& path);

  struct Device {
    std::string subsystem, modalias, driver, module;
  };
  // A directory of /sys/devices with what its kernel object has. `path` is below /sys.
  FakeRoot& device(const std::string& path, const Device& device);
  // A block device: also /sys/class/block, /sys/dev/block and its node in /dev.
  FakeRoot& block(const std::string& path, const std::string& number, std::uint64_t sectors);
  // /dev/disk/by-uuid/UUID -> NAME
  FakeRoot& uuid(const std::string& uuid, const std::string& name);

  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] RootedReader reader() const { return RootedReader::open(path_).value(); }

 private:
  std::filesystem::path make_parent(const std::string& path);
  std::string path_;
};

}  // namespace kd
