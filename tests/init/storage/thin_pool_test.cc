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
  EXPECT_EQ(sealed_pool(block), block);
  block[4] = 1;
  ASSERT_TRUE(read(sealed_pool(block), superblock));
  EXPECT_TRUE(superblock.needs_check);
  block = recorded_lvm("pool");
  block[56] = 1;
  ASSERT_TRUE(read(sealed_pool(block), superblock));
  EXPECT_TRUE(superblock.snapshot);
  for (const std::size_t features : {356U, 360U}) {
    block = recorded_lvm("pool");
    block[features] = 1;
    ASSERT_TRUE(read(sealed_pool(block), superblock));
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
    EXPECT_FALSE(read(sealed_pool(block), superblock)) << place;
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

TEST_F(ThinPools, OthersMayHoldWhatWasPromised) {
  superblock.data.used = 16384 - 255;
  pool.promised = superblock.data.all;
  EXPECT_FALSE(check(superblock, pool).refused());
  pool.pending = true;  // perhaps to delete a volume
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("full"));
  pool.pending = false;
  superblock.snapshot = true;
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("full"));
  superblock.snapshot = false;
  pool.promised = superblock.data.used - 1;  // of a volume that lvreduce made smaller
  EXPECT_THAT(check(superblock, pool).what, HasSubstr("full"));
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
