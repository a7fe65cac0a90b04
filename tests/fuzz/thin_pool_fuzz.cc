// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "builder/init/storage/crc.h"
#include "builder/init/storage/thin_pool.h"

namespace {

namespace thin = kdinit::thin;

void must(bool condition) {
  if (!condition) __builtin_trap();
}

class Device final : public kdinit::BlockReader {
 public:
  std::array<unsigned char, thin::kBlockSize> block{};
  int read(std::uint64_t offset, void* to, std::size_t length) override {
    if (length > block.size() || offset > block.size() - length) return ENXIO;
    std::memcpy(to, block.data() + offset, length);
    return 0;
  }
  [[nodiscard]] std::uint64_t size() const override { return block.size(); }
};

}  // namespace

// The input is a superblock, whose checksum no mutation would find.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constinit Device device;
  device.block.fill(0);
  std::copy(data, data + std::min(size, device.block.size()), device.block.begin());
  const std::uint32_t checksum =
      kdinit::plain_crc<0x82f63b78>(0xffffffff, std::span(device.block).subspan(4)) ^ 160774;
  std::memcpy(device.block.data(), &checksum, sizeof checksum);
  thin::Superblock superblock;
  if (!thin::read_superblock(device, 0, superblock)) return 0;
  // One that the group agrees with, full or not.
  kdinit::lvm::ThinPool pool{.name = "pool",
                             .transaction = superblock.transaction,
                             .chunk = std::max<std::uint64_t>(superblock.chunk, 1),
                             .promised = superblock.metadata.all};
  const std::uint64_t room = thin::room(superblock, pool);
  if (!thin::check(superblock, pool).refused()) must(room > 0 && room / 512 >= pool.chunk);
  std::uint64_t same = 0;
  must(thin::check(device, 1, pool, same).refused() && same == 0);
  thin::check(device, 0, pool, same);
  must(same == room);
  return 0;
}
