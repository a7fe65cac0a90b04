// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "builder/init/packed_file.h"
#include "builder/init/storage/block_reader.h"

namespace kdinit {

// A device of the bytes of a string.
class MemoryDevice final : public BlockReader {
 public:
  explicit MemoryDevice(std::string content = {}) : bytes(std::move(content)) {}
  int read(std::uint64_t offset, void* buffer, std::size_t length) override {
    if (length > bytes.size() || offset > bytes.size() - length) return ENXIO;
    std::memcpy(buffer, bytes.data() + offset, length);
    return 0;
  }
  [[nodiscard]] std::uint64_t size() const override { return bytes.size(); }
  std::string bytes;
};

// What is in a file X.xz; empty when it cannot be read.
inline std::string unpacked(const std::string& path) {
  Pages pages;
  if (unpack_to_memory(path.c_str(), pages)) return {};
  return {reinterpret_cast<const char*>(pages.data()), pages.size()};
}

// A recorded device of tests/init/storage/lvm.
inline std::string recorded_lvm(const std::string& name) {
  return unpacked(KD_TEST_DATA "/storage/lvm/" + name + ".xz");
}

// What `lvs` of the recording said of the group.
inline constexpr const char* kRecordedGroup = "VzJLTZ-ToVI-bmM3-Gvf3-4JMK-hInx-vxab3Z";
inline constexpr const char* kRecordedRoot = "vd8zn8-elaE-Wkcc-byfv-Y39P-mxyN-cxkc2d";
inline constexpr const char* kRecordedStriped = "aATJN0-ppnk-USTP-uexX-tayT-jQ6O-McopKO";

// And what tests/boot/record_volumes.py said of the group whose volumes are made of others.
inline constexpr const char* kPartsGroup = "bHjkaT-4IOl-DMY9-FHq8-i2Ue-Nlk5-V4bCM8";
inline constexpr const char* kPartsMirror = "wdVKC6-Ox8a-HwxW-gNpD-WEbn-gd1u-rQRm1K";
inline constexpr const char* kPartsThree = "8ICPsK-N8ug-BEzZ-ZP1M-FfYx-1VNy-Gvx9ST";
inline constexpr const char* kPartsFive = "ZUVEkk-CldP-Vlcg-zVPx-Jueh-tb3C-YAZmA6";
inline constexpr const char* kPartsThin = "2QwEJ1-ZbR0-64uC-kYzk-0NKr-eftr-MnOqgr";
inline constexpr const char* kPartsSnap = "u6tUIp-6fzr-v2H8-s8G7-qUvT-AIyw-vsinNZ";
inline constexpr const char* kPartsPool = "2mIkDd-zw9r-edCX-Gc7x-Tcul-DZFa-zL8I02";
inline constexpr const char* kPartsBase = "YbEMQ0-cQ9d-Ob9C-2dU4-MsXf-Xxqc-36OJbq";

}  // namespace kdinit
