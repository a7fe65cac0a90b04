// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/mount_table.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

std::string mount_point_of(std::string_view mountinfo, std::string_view path) {
  const auto table = parse_mountinfo(mountinfo);
  EXPECT_TRUE(table.has_value());
  const MountEntry* entry = find_mount(*table, path);
  return entry == nullptr ? "none" : fmt::format("{} {}", entry->id, entry->mount_point);
}

TEST(Mountinfo, ReadsEveryField) {
  const auto table = parse_mountinfo(
      "36 35 98:7 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/a\\040b "
      "rw,errors=continue\n");
  ASSERT_TRUE(table.has_value());
  ASSERT_EQ(table->size(), 1u);
  const MountEntry& entry = table->front();
  EXPECT_EQ(entry.id, 36);
  EXPECT_EQ(entry.parent, 35);
  EXPECT_EQ(entry.number, "98:7");
  EXPECT_EQ(entry.root, "/mnt1");
  EXPECT_EQ(entry.mount_point, "/mnt 2");
  EXPECT_EQ(entry.fs_type, "ext3");
  EXPECT_EQ(entry.source, "/dev/a b");
  EXPECT_EQ(entry.options, "rw,noatime,errors=continue");
}

TEST(Mountinfo, KeepsTheSourceDevRoot) {
  const auto table = parse_mountinfo(
      "26 1 254:0 / / rw - ext4 /dev/root rw\n"
      "27 26 254:1 / /a rw - ext4 /dev/root rw\n");
  ASSERT_EQ(table->size(), 2u);
  EXPECT_EQ(table->at(0).source, "/dev/root");
  EXPECT_EQ(table->at(1).source, "/dev/root");
}

TEST(Mountinfo, EmptyAndDamagedTextHasNoEntries) {
  EXPECT_TRUE(parse_mountinfo("")->empty());
  EXPECT_TRUE(parse_mountinfo("26 1 254:0\nnonsense\n")->empty());
  EXPECT_FALSE(parse_mountinfo(std::string_view("26 1 254:0 / \0", 14)).has_value());
}

constexpr const char* kRoot = "26 1 254:0 / / rw - ext4 /dev/vda rw\n";

TEST(FindMount, TakesTheDeepestMount) {
  const std::string text = std::string(kRoot) +
                           "30 26 8:1 / /var rw - ext4 /dev/sda1 rw\n"
                           "31 30 8:2 / /var/crash rw - ext4 /dev/sda2 rw\n";
  EXPECT_EQ(mount_point_of(text, "/var/crash/2026"), "31 /var/crash");
  EXPECT_EQ(mount_point_of(text, "/var/crash"), "31 /var/crash");
  EXPECT_EQ(mount_point_of(text, "/var/crashes"), "30 /var");
  EXPECT_EQ(mount_point_of(text, "/srv"), "26 /");
  EXPECT_EQ(mount_point_of(text, "/"), "26 /");
}

TEST(FindMount, TakesTheTopOfAStack) {
  const std::string text = std::string(kRoot) +
                           "30 26 8:1 / /var rw - ext4 /dev/sda1 rw\n"
                           "31 30 8:2 / /var rw - xfs /dev/sda2 rw\n";
  EXPECT_EQ(mount_point_of(text, "/var/crash"), "31 /var");
}

TEST(FindMount, DoesNotFindWhatALaterMountHides) {
  const std::string text = std::string(kRoot) +
                           "30 26 8:1 / /var/crash rw - ext4 /dev/sda1 rw\n"
                           "31 26 8:2 / /var rw - xfs /dev/sda2 rw\n";
  EXPECT_EQ(mount_point_of(text, "/var/crash"), "31 /var");
}

TEST(FindMount, DoesNotCareForTheOrderOfLines) {
  const std::string text =
      "23 26 0:6 / /dev rw - devtmpfs devtmpfs rw\n"
      "24 23 0:22 / /dev/shm rw - tmpfs tmpfs rw\n" +
      std::string(kRoot);
  EXPECT_EQ(mount_point_of(text, "/dev/shm/x"), "24 /dev/shm");
}

TEST(FindMount, EndsInALoopOfParents) {
  EXPECT_EQ(mount_point_of("1 1 8:0 / / rw - ext4 a rw\n2 3 8:1 / / rw - ext4 b rw\n"
                           "3 2 8:2 / / rw - ext4 c rw\n",
                           "/x"),
            "1 /");
}

TEST(FindMount, FindsNothingInAnEmptyTable) { EXPECT_EQ(mount_point_of("", "/x"), "none"); }

TEST(Fstab, KeepsTagsAndLeavesOutWhatIsNotMountedAtAPath) {
  const auto table = parse_fstab(
      "# root\nUUID=1-2 / ext4 errors=remount-ro 0 1\n\n"
      "LABEL=swap none swap sw 0 0\n/dev/sda3 /var\\040x xfs\n");
  ASSERT_TRUE(table.has_value());
  ASSERT_EQ(table->size(), 2u);
  EXPECT_EQ(table->at(0).source, "UUID=1-2");
  EXPECT_EQ(table->at(0).options, "errors=remount-ro");
  EXPECT_EQ(table->at(1).mount_point, "/var x");
}

TEST(Fstab, TakesTheLongestMountPoint) {
  const auto table = parse_fstab("a / ext4\nb /var/crash ext4\nc /var ext4\n");
  EXPECT_EQ(find_fstab_entry(*table, "/var/crash/x")->source, "b");
  EXPECT_EQ(find_fstab_entry(*table, "/var/cras")->source, "c");
  EXPECT_EQ(find_fstab_entry(*table, "/")->source, "a");
  EXPECT_EQ(find_fstab_entry(*parse_fstab("c /var ext4\n"), "/srv"), nullptr);
}

}  // namespace
}  // namespace kd
