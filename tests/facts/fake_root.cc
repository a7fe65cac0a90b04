// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/facts/fake_root.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace kd {
namespace fs = std::filesystem;

FakeRoot::FakeRoot() {
  std::string name = testing::TempDir() + "kd-root-XXXXXX";
  // Resolved, because mountinfo names resolved paths.
  path_ = fs::canonical(::mkdtemp(name.data())).string();
}

FakeRoot::~FakeRoot() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path FakeRoot::make_parent(const std::string& path) {
  const fs::path whole = path_ + path;
  fs::create_directories(whole.parent_path());
  return whole;
}

FakeRoot& FakeRoot::file(const std::string& path, std::string_view content) {
  std::ofstream(make_parent(path), std::ios::binary) << content;
  return *this;
}

FakeRoot& FakeRoot::link(const std::string& path, const std::string& target) {
  fs::create_symlink(target, make_parent(path));
  return *this;
}

FakeRoot& FakeRoot::directory(const std::string& path) {
  fs::create_directories(make_parent(path));
  return *this;
}

FakeRoot& FakeRoot::device(const std::string& path, const Device& device) {
  const std::string own = "/sys/" + path;
  file(own + "/uevent");
  if (!device.modalias.empty()) file(own + "/modalias", device.modalias + "\n");
  if (!device.subsystem.empty()) {
    const std::string bus = "/sys/bus/" + device.subsystem;
    directory(bus).link(own + "/subsystem", bus);
  }
  if (!device.driver.empty()) {
    const std::string driver = "/sys/bus/" + device.subsystem + "/drivers/" + device.driver;
    if (!fs::exists(path_ + driver)) {
      directory(driver);
      if (!device.module.empty()) {
        directory("/sys/module/" + device.module);
        link(driver + "/module", "/sys/module/" + device.module);
      }
    }
    link(own + "/driver", driver);
  }
  return *this;
}

FakeRoot& FakeRoot::block(const std::string& path, const std::string& number,
                          std::uint64_t sectors) {
  const std::string name = path.substr(path.rfind('/') + 1);
  device(path, {.subsystem = "block", .modalias = {}, .driver = {}, .module = {}});
  file("/sys/" + path + "/dev", number + "\n");
  file("/sys/" + path + "/size", std::to_string(sectors) + "\n");
  link("/sys/class/block/" + name, "/sys/" + path);
  link("/sys/dev/block/" + number, "/sys/" + path);
  return file("/dev/" + name);
}

FakeRoot& FakeRoot::uuid(const std::string& uuid, const std::string& name) {
  return link("/dev/disk/by-uuid/" + uuid, "../../" + name);
}

}  // namespace kd
