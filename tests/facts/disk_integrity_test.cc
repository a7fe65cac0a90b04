// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/disk_integrity.h"

#include <gtest/gtest.h>

#include "tests/facts/fake_root.h"

namespace kd {
namespace {

TEST(DiskIntegrity, IsNoneOnlyWhenEveryDiskSaysSo) {
  FakeRoot root;
  EXPECT_EQ(read_disk_integrity(root.reader()), "") << "no disks to ask";
  root.file("/sys/block/sda/integrity/format", "none\n");
  root.file("/sys/block/vda/integrity/format", "none\n");
  EXPECT_EQ(read_disk_integrity(root.reader()), "none");
  root.file("/sys/block/sdb/integrity/format", "T10-DIF-TYPE1-CRC\n");
  EXPECT_EQ(read_disk_integrity(root.reader()), "T10-DIF-TYPE1-CRC");
}

TEST(DiskIntegrity, IsUnknownWhenADiskSaysNothing) {
  FakeRoot root;
  root.file("/sys/block/sda/integrity/format", "none\n");
  root.file("/sys/block/sdb/size", "8\n");
  EXPECT_EQ(read_disk_integrity(root.reader()), "");
}

}  // namespace
}  // namespace kd
