// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/superblock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

std::string output_of(const std::string& command) {
  std::string text;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  for (int c; pipe && (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

DevicePieces pieces_of(const std::string& image) {
  DevicePieces pieces;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(image.c_str(), "rb"), std::fclose);
  EXPECT_EQ(std::fread(pieces.head.data(), 1, pieces.head.size(), file.get()), pieces.head.size());
  std::fseek(file.get(), DevicePieces::kDeepOffset, SEEK_SET);
  EXPECT_EQ(std::fread(pieces.deep.data(), 1, pieces.deep.size(), file.get()), pieces.deep.size());
  return pieces;
}

struct Maker {
  const char* name;
  const char* megabytes;
  const char* command;  // the image comes after it
};

class RealFileSystem : public ::testing::TestWithParam<Maker> {};

TEST_P(RealFileSystem, HasTheTypeAndUuidThatBlkidPrints) {
  const std::string program = std::string(GetParam().command);
  const std::string path = "PATH=$PATH:/usr/sbin:/sbin; ";
  if (output_of(path + "command -v " + program.substr(0, program.find(' '))).empty()) {
    GTEST_SKIP() << program << " is not installed";
  }
  const TemporaryDirectory directory;
  const std::string image = directory.path("image");
  output_of(path + "truncate -s " + GetParam().megabytes + "M " + image + " && " + program + " " +
            image + " 2>&1");
  const std::string tag = path + "blkid -p -o value " + image + " -s ";
  Superblock found;
  ASSERT_TRUE(identify(pieces_of(image), "ext4", found));
  EXPECT_EQ(found.type, output_of(tag + "TYPE"));
  EXPECT_EQ(found.uuid.view(), output_of(tag + "UUID"));
  EXPECT_EQ(found.members, 1u);
}

INSTANTIATE_TEST_SUITE_P(All, RealFileSystem,
                         ::testing::Values(Maker{"ext2", "8", "mkfs.ext2 -q -F"},
                                           Maker{"ext3", "8", "mkfs.ext3 -q -F"},
                                           Maker{"ext4", "8", "mkfs.ext4 -q -F"},
                                           Maker{"xfs", "320", "mkfs.xfs -q -f"},
                                           Maker{"btrfs", "128", "mkfs.btrfs -q -f"},
                                           Maker{"fat12", "4", "mkfs.vfat -F 12"},
                                           Maker{"fat16", "16", "mkfs.vfat -F 16"},
                                           Maker{"fat32", "64", "mkfs.vfat -F 32"}),
                         [](const auto& maker) { return std::string(maker.param.name); });

// btrfs inspect-internal shows of each its own superblock.
TEST(Superblock, MembersOfABtrfsAreThoseThatItsToolsCount) {
  const std::string path = "PATH=$PATH:/usr/sbin:/sbin; ";
  if (output_of(path + "command -v btrfs").empty()) GTEST_SKIP() << "btrfs is not installed";
  const TemporaryDirectory directory;
  const std::string images = directory.path("one") + " " + directory.path("two");
  output_of(path + "truncate -s 128M " + images + " && mkfs.btrfs -q -f " + images + " 2>&1");
  for (const char* name : {"one", "two"}) {
    const auto field = [&](const std::string& key) {
      return output_of(path + "btrfs inspect-internal dump-super " + directory.path(name) +
                       " | awk '$1 == \"" + key + "\" { print $2 }'");
    };
    Superblock found;
    ASSERT_TRUE(identify(pieces_of(directory.path(name)), "btrfs", found));
    EXPECT_EQ(std::to_string(found.members), field("num_devices"));
    EXPECT_EQ(std::to_string(found.member), field("dev_item.devid"));
  }
}

void put(DevicePieces& pieces, std::size_t offset, std::string_view bytes) {
  std::transform(bytes.begin(), bytes.end(), pieces.head.begin() + offset,
                 [](char c) { return static_cast<std::byte>(c); });
}

TEST(Superblock, EmptyDeviceHasNone) {
  Superblock found;
  EXPECT_FALSE(identify({}, "ext4", found));
  EXPECT_EQ(found.type, "");
}

TEST(Superblock, PreferredTypeWinsOverAnOldOne) {
  DevicePieces pieces;
  put(pieces, 0x52, "FAT32   ");
  put(pieces, 0x438, "\x53\xef");
  Superblock found;
  ASSERT_TRUE(identify(pieces, "vfat", found));
  EXPECT_EQ(found.type, "vfat");
  EXPECT_EQ(found.uuid.view(), "0000-0000");
  ASSERT_TRUE(identify(pieces, "ext3", found));
  EXPECT_EQ(found.type, "ext2");
  ASSERT_TRUE(identify(pieces, "xfs", found));
}

TEST(Superblock, ExternalJournalIsNoFileSystem) {
  DevicePieces pieces;
  put(pieces, 0x438, "\x53\xef");
  put(pieces, 0x460, "\x08");
  Superblock found;
  EXPECT_FALSE(identify(pieces, "ext4", found));
}

TEST(Superblock, ExtTypesAreOneFamily) {
  EXPECT_TRUE(same_family("ext2", "ext4"));
  EXPECT_TRUE(same_family("ext4", "ext3"));
  EXPECT_TRUE(same_family("xfs", "xfs"));
  EXPECT_FALSE(same_family("xfs", "ext4"));
}

}  // namespace
}  // namespace kdinit
