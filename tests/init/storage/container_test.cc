// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/container.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "builder/base/fd.h"
#include "tests/base/temporary_directory.h"
#include "tests/init/storage/memory_device.h"

namespace kdinit {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kSize = 1000 * kKiB + 512;  // no multiple of any alignment

void put_number(std::string& bytes, std::size_t offset, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[offset + i] = static_cast<char>(value >> 8 * i);
}

// An XFS with a superblock of md at `offset`, as include/uapi/linux/raid/md_p.h lays it out.
MemoryDevice member(std::size_t offset, unsigned major, std::size_t says_it_is_at) {
  std::string bytes(kSize, '\0');
  bytes.replace(0, 4, "XFSB");
  put_number(bytes, offset, 0xa92b4efc, 4);
  put_number(bytes, offset + 4, major, 4);
  if (major == 0) put_number(bytes, offset + 8, 90, 4);
  if (major == 1) put_number(bytes, offset + 144, says_it_is_at / 512, 8);
  return MemoryDevice(bytes);
}

TEST(Container, MdIsFoundInAllItsPlaces) {
  const std::size_t end_1_0 = (kSize / 512 - 16) / 8 * 8 * 512;
  for (const std::size_t offset : {std::size_t{0}, 4 * kKiB, end_1_0}) {
    MemoryDevice device = member(offset, 1, offset);
    EXPECT_EQ(container_on(device), kMdMember) << offset;
  }
  MemoryDevice old = member(896 * kKiB, 0, 0);  // of 1000 KiB: 960 - 64
  EXPECT_EQ(container_on(old), kMdMember);
}

TEST(Container, SuperblockOfMdThatWasCopiedElsewhereIsNone) {
  MemoryDevice device = member(4 * kKiB, 1, 8 * kKiB);
  EXPECT_EQ(container_on(device), "");
  MemoryDevice wrong_version = member(4 * kKiB, 2, 4 * kKiB);
  EXPECT_EQ(container_on(wrong_version), "");
}

// As mdadm's super-intel.c and super-ddf.c look for them.
TEST(Container, DiskOfAFirmwareRaidIsOne) {
  struct Row {
    std::size_t from_end;
    std::string signature;
    std::string_view container;
  };
  const Row rows[] = {{1024, "Intel Raid ISM Cfg Sig. 1.3.00", kIswMember},
                      {8192, "Intel Raid ISM Cfg Sig. 1.3.00", kIswMember},
                      {512, "\xde\x11\xde\x11", kDdfMember},
                      {257 * 512, "\xde\x11\xde\x11", kDdfMember}};
  for (const Row& row : rows) {
    std::string bytes(kSize, '\0');
    bytes.replace(kSize - row.from_end, row.signature.size(), row.signature);
    MemoryDevice device(bytes);
    EXPECT_EQ(container_on(device), row.container) << row.from_end;
  }
}

TEST(Container, PhysicalVolumeIsOne) {
  MemoryDevice device(recorded_lvm("group-3"));
  EXPECT_EQ(container_on(device), kLvmMember);
  device.bytes[512 + 40] ^= 1;
  EXPECT_EQ(container_on(device), kLvmMember) << "a damaged label is no reason to mount it";
}

TEST(Container, EncryptedDiskOfCryptsetupIsOne) {
  const TemporaryDirectory directory;
  directory.write("key", "secret");
  for (const char* version : {"luks1", "luks2"}) {
    directory.write("image", std::string(20 << 20, '\0'));
    const std::string command =
        std::string("PATH=$PATH:/usr/sbin:/sbin cryptsetup luksFormat -q --type ") + version +
        " --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file " + directory.path("key") + " " +
        directory.path("image") + " >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "cryptsetup is not installed";
    const kd::Fd fd(::open(directory.path("image").c_str(), O_RDONLY));
    FileReader reader(fd.get());
    EXPECT_EQ(container_on(reader), kLuksVolume) << version;
  }
}

TEST(Container, PlainFileSystemIsNone) {
  std::string bytes(kSize, '\0');
  bytes.replace(0, 4, "XFSB");
  MemoryDevice device(bytes), empty, tiny(std::string(512, 'x'));
  EXPECT_EQ(container_on(device), "");
  EXPECT_EQ(container_on(empty), "");
  EXPECT_EQ(container_on(tiny), "");
}

}  // namespace
}  // namespace kdinit
