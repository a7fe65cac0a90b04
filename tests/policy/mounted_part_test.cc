// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/mounted_part.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::HasSubstr;

DumpMount mount_of(const char* fs_type, const char* root, const char* options) {
  DumpMount mount;
  mount.mount_point = "/srv";
  mount.root = root;
  mount.fs_type = fs_type;
  mount.options = options;
  return mount;
}

std::string part_of(const DumpMount& mount) {
  const Result<MountedPart> part = mounted_part(mount);
  return part ? part->options + " " + part->directory : part.error().message;
}

TEST(MountedPart, OfABtrfsIsASubvolumeOrADirectoryBelowIt) {
  struct Row {
    const char *root, *options, *part;
  };
  for (const auto& [root, options, part] :
       {Row{"/@rootfs", "rw,ssd,subvolid=256,subvol=/@rootfs", "subvol=/@rootfs /"},
        Row{"/@rootfs/srv/dumps", "rw,ssd,subvolid=256,subvol=/@rootfs",
            "subvol=/@rootfs /srv/dumps"},
        Row{"/", "rw,subvolid=5,subvol=/", "subvol=/ /"},
        Row{"/srv/dumps", "rw,subvolid=5,subvol=/", "subvol=/ /srv/dumps"},
        Row{"/@/nested", "rw,subvolid=300,subvol=/@/nested", "subvol=/@/nested /"},
        Row{"/@a b/x", "rw,subvolid=300,subvol=/@a b", "subvol=/@a b /x"},
        // A name that starts like another is another.
        Row{"/@rootfs2", "rw,subvol=/@rootfs", "subvol=/@rootfs2 /"},
        // Written by hand in fstab, without a mount table to say more.
        Row{"/", "subvol=@,compress=zstd", "subvol=/@ /"},
        Row{"/@rootfs", "rw,noatime", "subvol=/@rootfs /"}}) {
    EXPECT_EQ(part_of(mount_of("btrfs", root, options)), part) << root << " " << options;
  }
}

TEST(MountedPart, NamesASubvolumeWithACommaByItsNumber) {
  EXPECT_EQ(part_of(mount_of("btrfs", "/a,b", "rw,subvolid=258,subvol=/a,b")), "subvolid=258 /");
  EXPECT_EQ(part_of(mount_of("btrfs", "/a,b/c,d", "rw,subvolid=258,subvol=/a,b")),
            "subvolid=258 /c,d");
  EXPECT_EQ(part_of(mount_of("btrfs", "/a,subvolid=9", "rw,subvolid=258,subvol=/a,subvolid=9")),
            "subvolid=258 /");
  // Only the directory has one.
  EXPECT_EQ(part_of(mount_of("btrfs", "/a/b,c", "rw,subvolid=258,subvol=/a")), "subvol=/a /b,c");
  const Result<MountedPart> unknown = mounted_part(mount_of("btrfs", "/a,b", "rw"));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind, ErrorKind::kTargetNotSupported);
  EXPECT_THAT(unknown.error().message, HasSubstr("comma"));
}

TEST(MountedPart, OfOtherFileSystemsIsADirectory) {
  EXPECT_EQ(part_of(mount_of("ext4", "/dumps", "rw,subvol=/x")), " /dumps");
  EXPECT_EQ(part_of(mount_of("xfs", "/", "rw,nouuid,attr2")), "nouuid /");
  EXPECT_EQ(part_of(mount_of("xfs", "/", "rw,attr2,nouuid")), "nouuid /");
  EXPECT_EQ(part_of(mount_of("xfs", "/", "rw,nouuids")), " /");
  EXPECT_EQ(part_of(mount_of("ext4", "/", "rw,nouuid")), " /");
}

TEST(SecondDevice, IsALogOrAJournalOnADiskOfItsOwn) {
  EXPECT_EQ(second_device(mount_of("xfs", "/", "rw,attr2,logdev=/dev/sdb1,noquota")),
            "an external log on /dev/sdb1");
  EXPECT_THAT(second_device(mount_of("xfs", "/", "rtdev=/dev/sdc")), HasSubstr("realtime"));
  EXPECT_THAT(second_device(mount_of("ext4", "/", "rw,journal_path=/dev/sdb2")),
              HasSubstr("/dev/sdb2"));
  EXPECT_EQ(second_device(mount_of("xfs", "/", "rw,logbufs=8,logbsize=32k")), "");
  DumpMount ext4 = mount_of("ext4", "/", "rw");
  EXPECT_EQ(second_device(ext4), "");
  ext4.journal = "1-2";
  EXPECT_THAT(second_device(ext4), HasSubstr("external journal with UUID 1-2"));
}

}  // namespace
}  // namespace kd
