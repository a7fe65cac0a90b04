// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

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

// The superblock of a pool with its checksum: CRC32C by bits, as the definition has it.
inline std::string sealed_pool(std::string block) {
  std::uint32_t value = 0xffffffff;
  for (const char byte : std::string_view(block).substr(4)) {
    value ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78 : 0);
  }
  value ^= 160774;
  for (std::size_t i = 0; i < 4; ++i) block[i] = static_cast<char>(value >> 8 * i);
  return block;
}

// What `lvs` of the recording said of the group.
inline constexpr const char* kRecordedGroup = "VzJLTZ-ToVI-bmM3-Gvf3-4JMK-hInx-vxab3Z";
inline constexpr const char* kRecordedRoot = "vd8zn8-elaE-Wkcc-byfv-Y39P-mxyN-cxkc2d";
inline constexpr const char* kRecordedStriped = "aATJN0-ppnk-USTP-uexX-tayT-jQ6O-McopKO";

// And what tests/boot/record_volumes.py said of the group whose volumes are made of others.
inline constexpr const char* kPartsGroup = "pXNy3o-3Zmx-oI45-aitJ-JZIY-bOIH-HEX7Jn";
inline constexpr const char* kPartsMirror = "m5UQMP-Ve1h-jfm7-LWzE-eKYK-x0ln-UrRnSt";
inline constexpr const char* kPartsThree = "zYiBeF-tJ3G-ebGX-o2vx-60IV-D3EC-fnhejT";
inline constexpr const char* kPartsFive = "v9GzlV-9V3S-fIdf-v4DK-CCWY-qnMD-ScPhsc";
inline constexpr const char* kPartsThin = "wbaHhf-xejF-ypBb-sDw6-ACaG-QHdw-vdUrNj";
inline constexpr const char* kPartsSnap = "NlEBSn-VexO-TzYZ-UsCJ-IIJ3-pOty-dOagjD";
inline constexpr const char* kPartsPool = "B8y4Q1-PDEp-y5Mj-VDI1-lpk1-r2hZ-ix72A4";
inline constexpr const char* kPartsBase = "HOjvOK-0sXa-Ru3F-OSUe-HZUl-Bq9Q-H4ecMQ";

}  // namespace kdinit
