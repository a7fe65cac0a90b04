// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstring>

#include "builder/init/storage/container.h"
#include "builder/init/storage/md.h"

namespace {

namespace md = kdinit::md;

constexpr std::size_t kBlock = 4096;

void must(bool condition) {
  if (!condition) __builtin_trap();
}

void put(unsigned char* block, std::size_t place, std::uint64_t value, std::size_t size) {
  std::memcpy(block + place, &value, size);
}

// A device of some 200 KiB that is empty but for one block. Magic number, version, place and
// checksum are set right, because no mutation finds them.
class Device final : public kdinit::BlockReader {
 public:
  Device(const std::uint8_t* data, std::size_t size, md::Version version) {
    constexpr std::uint64_t kPlaces[] = {131072, (sizeof bytes_ / 512 - 16) / 8 * 4096, 0, 4096};
    const std::uint64_t place = kPlaces[static_cast<int>(version)];
    unsigned char* block = bytes_ + place;
    std::memcpy(block, data, size < kBlock ? size : kBlock);
    const bool old = version == md::Version::k0_90;
    put(block, 0, 0xa92b4efc, 4);
    put(block, 4, old ? 0 : 1, 4);
    if (old) put(block, 8, 90 + (block[8] & 1), 4);
    if (!old) put(block, 144, place / 512, 8);
    const std::size_t own = old ? 152 : 216;
    std::uint32_t roles;
    std::memcpy(&roles, block + 220, 4);
    if (!old && roles > 1920) put(block, 220, roles %= 1921, 4);
    put(block, own, 0, 4);
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < (old ? kBlock : 256 + 2 * std::size_t{roles}); at += 2) {
      sum += (std::uint64_t{block[at]} | std::uint64_t{block[at + 1]} << 8) << (at % 4 * 8);
    }
    put(block, own, (sum & 0xffffffff) + (sum >> 32), 4);
  }
  int read(std::uint64_t offset, void* to, std::size_t length) override {
    if (length > sizeof bytes_ || offset > sizeof bytes_ - length) return ENXIO;
    std::memcpy(to, bytes_ + offset, length);
    return 0;
  }
  [[nodiscard]] std::uint64_t size() const override { return sizeof bytes_; }

 private:
  unsigned char bytes_[200 * 1024] = {};
};

}  // namespace

// The input is a byte that tells the version of each of up to four members, and their superblocks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static md::Superblock seen[4];
  std::size_t count = 0;
  for (std::size_t at = 1; at < size && count < 4; at += kBlock, ++count) {
    const md::Version version = md::kVersions[data[0] >> 2 * count & 3];
    Device device(data + at, size - at, version);
    must(kdinit::container_on(device) == kdinit::kMdMember);
    must(md::read_superblock(device, version, seen[count]) == md::SuperblockState::kFound);
  }
  md::Wanted wanted;
  wanted.array = seen[0].array;
  for (std::size_t i = 0; i < count; ++i) wanted.members.push(seen[i].member);
  const md::Choice careful = md::choose({seen, count}, wanted, true);
  const md::Choice choice = md::choose({seen, count}, wanted, false);
  must(careful.problem != nullptr || choice.problem == nullptr);
  must((choice.problem == nullptr) == !choice.members.empty());
  for (const std::uint32_t index : choice.members) {
    must(index < count && seen[index].array == wanted.array);
    must(seen[index].is_active(seen[index].number) && seen[index].unsupported == nullptr);
  }
  return 0;
}
