// SPDX-License-Identifier: GPL-2.0-or-later
//
// Members of arrays that mdadm made, see md/record.py.
#pragma once

#include <cerrno>
#include <map>
#include <sstream>
#include <string>

#include "builder/init/storage/md.h"
#include "tests/init/storage/memory_device.h"

namespace kdinit::md {

// A device that is empty but for its superblock.
class Member final : public BlockReader {
 public:
  int read(std::uint64_t offset, void* buffer, std::size_t length) override {
    if (length > size_ || offset > size_ - length) return ENXIO;
    for (std::size_t i = 0; i < length; ++i) {
      const std::uint64_t at = offset + i - place;
      static_cast<char*>(buffer)[i] = offset + i >= place && at < block.size() ? block[at] : '\0';
    }
    return 0;
  }
  [[nodiscard]] std::uint64_t size() const override { return size_; }

  std::uint64_t size_ = 0, place = 0;
  std::string block;
  std::string text;  // of mdadm --examine
};

inline std::map<std::string, Member> recorded() {
  constexpr std::size_t kHead = 128, kText = 3968, kBlock = 4096;
  const std::string bytes = unpacked(KD_SOURCE_DIR "/tests/init/storage/md/members.xz");
  std::map<std::string, Member> members;
  for (std::size_t at = 0; at < bytes.size(); at += kHead + kText + kBlock) {
    std::istringstream head(bytes.substr(at, kHead));
    std::string name;
    Member member;
    head >> name >> member.size_ >> member.place;
    member.text = bytes.substr(at + kHead, kText).c_str();
    member.block = bytes.substr(at + kHead + kText, kBlock);
    members.emplace(name, member);
  }
  return members;
}

// The device as a file.
inline std::string content_of(const Member& member) {
  std::string bytes(member.size_, '\0');
  bytes.replace(member.place, member.block.size(), member.block);
  return bytes;
}

}  // namespace kdinit::md
