// SPDX-License-Identifier: GPL-2.0-or-later
//
// A machine whose disks a test scans.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "builder/init/storage/target.h"
#include "tests/base/temporary_directory.h"
#include "tests/init/storage/fake_keys.h"

namespace kdinit {

inline constexpr const char* kUuid = "30313233-3435-3637-3839-303132333435";

// A device that begins as an XFS, with the bytes of `id` as UUID.
inline std::string xfs_image(const std::string& id = "0123456789012345") {
  std::string image(4096, '\0');
  image.replace(0, 4, "XFSB");
  image.replace(32, 16, id);
  return image;
}

// "START LENGTH TYPE PARAMETERS", as dmsetup(8) takes it.
inline std::vector<std::string> lines_of(const DeviceTable& table) {
  std::vector<std::string> lines;
  const char* place = table.bytes().data() + sizeof(dm_ioctl);
  for (std::uint32_t i = 0; i < table.count(); ++i) {
    dm_target_spec target;
    std::memcpy(&target, place, sizeof target);
    lines.push_back(std::to_string(target.sector_start) + " " + std::to_string(target.length) +
                    " " + target.target_type + " " + (place + sizeof target));
    place += target.next;
  }
  return lines;
}

// A /sys/class/block and a /dev of plain files.
class ScanDevices : public ::testing::Test {
 protected:
  void add_device(const std::string& name, const std::string& content) {
    root.write("sys/" + name + "/size", "8192\n");
    root.write("dev/" + name, content);
  }
  bool scan(const char* type, const char* uuid = kUuid) {
    const std::string sys = root.path("sys"), dev = root.path("dev");
    return scan_devices({.type = type, .uuid = uuid, .layers = layers, .timeout = 1},
                        {.sys_block = sys, .dev = dev}, patient, assembly, found, ticker);
  }
  std::vector<std::string> devices() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < found.count; ++i) {
      names.push_back(std::filesystem::path(found.items[i].device.view()).filename());
    }
    return names;
  }
  struct CountingTicker final : Ticker {
    void tick() override { ++ticks; }
    int ticks = 0;
  };
  // Makes what the kernel would, and keeps the table as text.
  struct FakeMapper final : DeviceMapper {
    int create(std::string_view name, std::string_view uuid, const DeviceTable& table) override {
      names.emplace_back(name);
      uuids.emplace_back(uuid);
      tables.push_back(lines_of(table));
      if (name == refused) return EIO;
      if (error == 0) on_create();
      return error;
    }
    int put_number(std::string_view name, TextBuffer& number) override {
      const auto made = std::ranges::find(names, name);
      if (made == names.end()) return ENXIO;
      number.put("253:", made - names.begin());
      return 0;
    }
    int message(std::string_view name, std::string_view text) override {
      messages.push_back(std::string(name) + ": " + std::string(text));
      return 0;
    }
    void remove(std::string_view name) override { removed.emplace_back(name); }
    std::string refused;  // a name that the kernel makes nothing of
    std::vector<std::string> messages, removed;
    int error = 0;
    std::vector<std::string> names, uuids;
    std::vector<std::vector<std::string>> tables;
    std::function<void()> on_create = [] {};
  };
  struct FakeArrays final : ArrayDriver {
    int start(std::string_view name, md::Version version,
              std::span<const DeviceNumber> members) override {
      std::string array = std::string(name) + " " + std::to_string(static_cast<int>(version)) + ":";
      for (const DeviceNumber& member : members) {
        array += " " + std::to_string(member.major) + ":" + std::to_string(member.minor);
      }
      started.push_back(array);
      if (error == 0) on_start();
      return error;
    }
    int error = 0;
    std::vector<std::string> started;  // "md0 3: 8:0 8:16", with the index of the version
    std::function<void()> on_start = [] {};
  };
  TemporaryDirectory root;
  FakeMapper mapper;
  FakeArrays arrays;
  FakeKeys keys;
  LayerAssembly assembly{{.mapper = mapper, .arrays = arrays, .keys = keys}};
  std::vector<Layer> layers;
  bool patient = true;
  Candidates found;
  CountingTicker ticker;
};

}  // namespace kdinit
