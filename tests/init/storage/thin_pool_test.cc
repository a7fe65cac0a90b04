// SPDX-License-Identifier: GPL-2.0-or-later
//
// Pools of thin volumes, one as the kernel has written it (tests/boot/record_volumes.py).
#include "builder/init/storage/thin_pool.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/init/storage/memory_device.h"

namespace kdinit::thin {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// By bits, as the definition has it.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t value = 0xffffffff;
  for (const char byte : bytes) {
    value ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78 : 0);
  }
  return value;
}

std::string sealed(std::string block) {
  const std::uint32_t checksum = crc32c(std::string_view(block).substr(4)) ^ 160774;
  for (std::size_t i = 0; i < 4; ++i) block[i] = static_cast<char>(checksum >> 8 * i);
  return block;
}

bool read(const std::string& block, Superblock& superblock, std::uint64_t offset = 0) {
  MemoryDevice device(std::string(offset, 'x') + block);
  return read_superblock(device, offset, superblock);
}

TEST(ThinSuperblock, IsReadAsTheKernelWroteIt) {
  Superblock superblock;
  ASSERT_TRUE(read(recorded_lvm("pool"), superblock, 8192));
  EXPECT_FALSE(superblock.needs_check);
  EXPECT_FALSE(superblock.foreign);
  EXPECT_EQ(superblock.transaction, 2u);
  EXPECT_EQ(superblock.chunk, 128u);
  EXPECT_EQ(superblock.data.all, 256u);  // 16 MiB
  EXPECT_EQ(superblock.data.used, 0u);
  EXPECT_EQ(superblock.metadata.all, 512u);  // 2 MiB
  EXPECT_EQ(superblock.metadata.used, 10u);
}

TEST(ThinSuperblock, FlagsAreRead) {
  Superblock superblock;
  std::string block = recorded_lvm("pool");
  EXPECT_EQ(sealed(block), block);
  block[4] = 1;
  ASSERT_TRUE(read(sealed(block), superblock));
  EXPECT_TRUE(superblock.needs_check);
  for (const std::size_t features : {356U, 360U}) {
    block = recorded_lvm("pool");
    block[features] = 1;
    ASSERT_TRUE(read(sealed(block), superblock));
    EXPECT_TRUE(superblock.foreign) << features;
  }
}

TEST(ThinSuperblock, IsNoneWithAnythingElseInIt) {
  Superblock superblock;
  const std::string good = recorded_lvm("pool");
  for (std::size_t place = 0; place < good.size(); ++place) {
    std::string block = good;
    block[place] ^= 0x10;
    EXPECT_FALSE(read(block, superblock)) << place;
  }
  for (const std::size_t place : {8U, 32U, 40U}) {  // number, magic, version
    std::string block = good;
    block[place] ^= 0x10;
    EXPECT_FALSE(read(sealed(block), superblock)) << place;
  }
  EXPECT_FALSE(read(std::string(4096, '\0'), superblock));
  EXPECT_FALSE(read(good.substr(0, 4095), superblock));
}

class ThinPools : public ::testing::Test {
 protected:
  // 1 GiB in chunks of 64 KiB, promised twice, and metadata as lvm makes them for it.
  Superblock superblock{.transaction = 7,
                        .chunk = 128,
                        .data = {.all = 16384, .used = 1000},
                        .metadata = {.all = 1024, .used = 40}};
  lvm::ThinPool pool{.name = "pool", .transaction = 7, .chunk = 128, .promised = 32768};
};

TEST_F(ThinPools, AreFineWithRoom) {
  EXPECT_FALSE(check(superblock, pool).refused());
  EXPECT_EQ(room(superblock, pool), (16384 - 1000 - 128) * std::uint64_t{65536});
}

TEST_F(ThinPools, ThatNeedAToolFirstAreRefused) {
  superblock.needs_check = true;
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("--repair"));
  EXPECT_EQ(check(superblock, pool).detail, "pool");
  superblock = {.foreign = true, .transaction = 7, .chunk = 128};
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("do not agree"));
  superblock = {.transaction = 7, .chunk = 256};
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("do not agree"));
}

// libdm/libdm-deptree.c, _node_send_messages()
TEST_F(ThinPools, MayBeATransactionBehindWhereLvmIsAboutToTell) {
  superblock.transaction = 6;
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("older or newer"));
  pool.pending = true;
  EXPECT_FALSE(check(superblock, pool).refused());
  superblock.transaction = 7;
  EXPECT_FALSE(check(superblock, pool).refused()) << "the pool has heard of it";
  for (const std::uint64_t other : {5U, 8U}) {
    superblock.transaction = other;
    EXPECT_TRUE(check(superblock, pool).refused()) << other;
  }
}

TEST_F(ThinPools, ThatAreFullAreRefused) {
  superblock.data.used = 16384 - 255;  // 16 MiB less a chunk
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("full"));
  --superblock.data.used;
  EXPECT_FALSE(check(superblock, pool).refused());
  EXPECT_EQ(room(superblock, pool), 8u << 20);
  superblock.data.used = 20000;  // what no kernel writes
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("full"));
  EXPECT_EQ(room(superblock, pool), 0u);
}

TEST_F(ThinPools, OfLargeChunksNeedSomeOfThem) {
  superblock.chunk = pool.chunk = 2097152;  // 1 GiB
  superblock.data.used = superblock.data.all - 15;
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("full"));
  --superblock.data.used;
  EXPECT_FALSE(check(superblock, pool).refused());
  EXPECT_EQ(room(superblock, pool), std::uint64_t{8} << 30);
}

TEST_F(ThinPools, ThatPromiseNoMoreThanTheyHaveAreNeverFull) {
  superblock.data.used = superblock.data.all;
  pool.promised = superblock.data.all;
  EXPECT_FALSE(check(superblock, pool).refused());
  EXPECT_EQ(room(superblock, pool), ((1024 - 40 - 102 - 32) * 126 - 128) * std::uint64_t{65536});
}

TEST_F(ThinPools, NeedRoomForMetadata) {
  superblock.metadata.used = 1024 - 102 - 32 - 1;
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("--poolmetadatasize"));
  EXPECT_EQ(room(superblock, pool), 0u);
  superblock.metadata = {.all = 1 << 22, .used = (1 << 22) - 4096 - 32 - 10};
  EXPECT_FALSE(check(superblock, pool).refused()) << "the kernel keeps no more than 16 MiB";
  EXPECT_EQ(room(superblock, pool), (10 * 126 - 128) * std::uint64_t{65536});
}

TEST_F(ThinPools, HaveNoMoreRoomThanFitsANumber) {
  superblock.data = {.all = kNoLimit, .used = 0};
  superblock.metadata = {.all = kNoLimit / 1000, .used = 0};
  EXPECT_EQ(room(superblock, pool), kNoLimit);
}

}  // namespace
}  // namespace kdinit::thin
