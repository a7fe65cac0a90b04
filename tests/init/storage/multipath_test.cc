// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/multipath.h"

#include <gmock/gmock.h>

#include "tests/init/storage/scan_fixture.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kWwid = "naa.6001405aabbccddee0011223344556677";

std::string digest_of(std::string_view wwid) {
  Text<17> text;
  multipath::put_digest(multipath::digest(wwid), text);
  return std::string(text.view());
}

TEST(MultipathId, DigestIsFnv1a) {
  // Test vectors of the function's authors.
  EXPECT_EQ(digest_of(""), "cbf29ce484222325");
  EXPECT_EQ(digest_of("a"), "af63dc4c8601ec8c");
  EXPECT_EQ(digest_of("foobar"), "85944171f73967e8");
}

TEST(MultipathId, IsNamedAsUdevsScsiIdDoes) {
  for (const auto& [wwid, name] :
       {std::pair{"naa.600a0b80001111550000f35b93e19350", "3600a0b80001111550000f35b93e19350"},
        std::pair{"eui.0025385391b0a4c1", "20025385391b0a4c1"}}) {
    Text<128> there, back;
    EXPECT_TRUE(multipath::put_name(wwid, there));
    EXPECT_EQ(there.view(), name);
    EXPECT_TRUE(multipath::put_wwid(name, back));
    EXPECT_EQ(back.view(), wwid);
  }
  Text<128> none;
  EXPECT_FALSE(multipath::put_name("t10.ATA     QEMU HARDDISK     QM00001", none));
  EXPECT_FALSE(multipath::put_wwid("SQEMU_QEMU_HARDDISK_1", none));
}

TEST(MultipathId, LinesOfTheConfiguration) {
  multipath::Line line;
  const auto parse = [&line](const char* id, const char* parameters) {
    line = {};
    return multipath::parse({LayerKind::kMultipath, id, parameters}, line);
  };
  ASSERT_TRUE(parse("cbf29ce484222325", "4 failover"));
  EXPECT_EQ(line.digest, 0xcbf29ce484222325);
  EXPECT_EQ(line.paths, 4U);
  EXPECT_TRUE(line.failover);
  ASSERT_TRUE(parse("cbf29ce484222325", "2 single"));
  EXPECT_FALSE(line.failover);
  ASSERT_TRUE(parse("cbf29ce484222325/12", ""));
  EXPECT_EQ(line.partition, 12U);
  EXPECT_FALSE(parse("cbf29ce48422232", "2 single"));
  EXPECT_FALSE(parse("cbf29ce48422232x", "2 single"));
  EXPECT_FALSE(parse("cbf29ce484222325", ""));
  EXPECT_FALSE(parse("cbf29ce484222325", "2"));
  EXPECT_FALSE(parse("cbf29ce484222325", "2 both"));
  EXPECT_FALSE(parse("cbf29ce484222325", "x single"));
  EXPECT_FALSE(parse("cbf29ce484222325/0", ""));
  EXPECT_FALSE(parse("cbf29ce484222325/1", "2 single"));
  EXPECT_FALSE(parse("cbf29ce4842223251", "2 single"));
}

// sda and sdb lead to one disk with the target on it, sdc is another disk.
class ScanPaths : public ScanDevices {
 protected:
  ScanPaths() {
    add_path("sda", "8:0", kWwid, xfs_image());
    add_path("sdb", "8:16", kWwid, xfs_image());
    add_path("sdc", "8:32", "naa.5000c500a1b2c3d4", xfs_image("abcdefghijklmnop"));
    layers = {{.kind = LayerKind::kMultipath, .id = id, .parameters = "2 failover"}};
    mapper.on_create = [this] { appear(); };
  }
  void add_path(const std::string& name, const std::string& number, const std::string& wwid,
                const std::string& content) {
    add_device(name, content);
    root.write("sys/" + name + "/dev", number + "\n");
    root.write("sys/" + name + "/device/wwid", wwid + "\n");
  }
  void set_state(const std::string& name, const std::string& state) {
    root.write("sys/" + name + "/device/access_state", state + "\n");
  }
  void add_partition(const std::string& disk, int number, const std::string& content) {
    const std::string name = disk + std::to_string(number);
    add_device(name, content);
    for (const std::string& place : {disk + "/" + name, name}) {
      root.write("sys/" + place + "/partition", std::to_string(number) + "\n");
      root.write("sys/" + place + "/size", "4096\n");
      root.write("sys/" + place + "/start", "2048\n");
    }
    // As in /sys, where a partition is a link to a folder in that of the disk.
    std::filesystem::remove_all(root.path("sys/" + name));
    std::filesystem::create_symlink(disk + "/" + name, root.path("sys/" + name));
  }
  // As the kernel shows what was made: the paths of a disk are held, a partition of it is not.
  void appear() {
    const std::string name = "dm-" + std::to_string(mapper.uuids.size() - 1);
    const std::string& uuid = mapper.uuids.back();
    add_device(name,
               whole_disk && mapper.uuids.size() == 1 ? std::string(4096, '\0') : xfs_image());
    root.write("sys/" + name + "/dm/uuid", uuid + "\n");
    root.write("sys/" + name + "/dev", "254:" + std::to_string(mapper.uuids.size() - 1) + "\n");
    for (const char* path : {"sda", "sdb"}) {
      if (!uuid.starts_with("mpath-")) continue;
      root.write("sys/" + std::string(path) + "/holders/" + name + "/dm/uuid", uuid + "\n");
    }
    if (uuid.starts_with("part")) root.write("sys/dm-0/holders/" + name + "/dm/uuid", uuid + "\n");
  }
  bool whole_disk = false;  // with a partition table
  std::string id = digest_of(kWwid);
};

TEST_F(ScanPaths, TheDiskIsMadeOfItsPathsAndTheTargetFoundOnIt) {
  EXPECT_TRUE(scan("xfs")) << found.problems.view();
  EXPECT_THAT(devices(), ElementsAre("dm-0"));
  EXPECT_THAT(mapper.names, ElementsAre("36001405aabbccddee0011223344556677"));
  EXPECT_THAT(mapper.uuids, ElementsAre("mpath-36001405aabbccddee0011223344556677"));
  ASSERT_EQ(mapper.tables.size(), 1U);
  ASSERT_EQ(mapper.tables[0].size(), 1U);
  EXPECT_THAT(mapper.tables[0][0],
              HasSubstr("0 8192 multipath 2 queue_mode bio 0 2 1 round-robin"));
  EXPECT_THAT(mapper.tables[0][0], HasSubstr("round-robin 0 1 1 8:0 1"));
  EXPECT_THAT(mapper.tables[0][0], HasSubstr("round-robin 0 1 1 8:16 1"));
  EXPECT_TRUE(scan("xfs"));
  EXPECT_EQ(mapper.names.size(), 1U) << "it is there already";
}

TEST_F(ScanPaths, ThePathThatTheArrayPrefersComesFirst) {
  set_state("sda", "standby");
  set_state("sdb", "active/optimized");
  EXPECT_TRUE(scan("xfs"));
  ASSERT_EQ(mapper.tables.size(), 1U);
  EXPECT_THAT(mapper.tables[0],
              ElementsAre("0 8192 multipath 2 queue_mode bio 0 2 1 round-robin 0 1 1 8:16 1 "
                          "round-robin 0 1 1 8:0 1"));
}

TEST_F(ScanPaths, WithoutFailoverTheBestPathAloneIsTheDisk) {
  layers[0].parameters = "2 single";
  set_state("sda", "active/non-optimized");
  set_state("sdb", "active/optimized");
  EXPECT_TRUE(scan("xfs"));
  ASSERT_EQ(mapper.tables.size(), 1U);
  EXPECT_THAT(mapper.tables[0], ElementsAre("0 8192 linear 8:16 0"));
}

TEST_F(ScanPaths, APathThatIsMissingIsWaitedForAtFirst) {
  std::filesystem::remove_all(root.path("sys/sdb"));
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_EQ(found.problems.view(), "multipath disk " + id + ": 1 of 2 paths can be read");
  patient = false;
  EXPECT_TRUE(scan("xfs"));
}

TEST_F(ScanPaths, APathThatCannotBeReadComesLast) {
  std::filesystem::resize_file(root.path("dev/sda"), 0);
  root.write("dev/sda", "");
  std::filesystem::remove(root.path("dev/sda"));
  std::filesystem::create_directory(root.path("dev/sda"));  // read(2): EISDIR
  EXPECT_FALSE(scan("xfs"));
  patient = false;
  EXPECT_TRUE(scan("xfs")) << found.problems.view();
  ASSERT_EQ(mapper.tables.size(), 1U);
  EXPECT_THAT(mapper.tables[0][0], HasSubstr(" 2 1 round-robin 0 1 1 8:16 1 round-robin"));
}

TEST_F(ScanPaths, ACloneIsRefusedAndNotChosen) {
  root.write("dev/sdb", xfs_image("abcdefghijklmnop"));
  patient = false;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("have its identity and are different disks"));
  root.write("dev/sdb", xfs_image());
  root.write("sys/sdb/size", "8200\n");
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(), HasSubstr("different disks"));
}

TEST_F(ScanPaths, APartitionIsMadeOfTheDiskAndNeverTakenFromAPath) {
  whole_disk = true;
  for (const char* disk : {"sda", "sdb"}) {
    root.write(std::string("dev/") + disk, std::string(4096, '\0'));
    add_partition(disk, 1, xfs_image("abcdefghijklmnop"));
    add_partition(disk, 2, xfs_image());
  }
  const std::string partition = id + "/2";
  layers.push_back({.kind = LayerKind::kMultipath, .id = partition, .parameters = ""});
  EXPECT_TRUE(scan("xfs")) << found.problems.view() << found.seen.view();
  EXPECT_THAT(devices(), ElementsAre("dm-1"));
  ASSERT_EQ(mapper.tables.size(), 2U);
  EXPECT_THAT(mapper.tables[1], ElementsAre("0 4096 linear 254:0 2048"));
  EXPECT_EQ(mapper.names[1], "36001405aabbccddee0011223344556677-part2");
  EXPECT_EQ(mapper.uuids[1], "part2-mpath-36001405aabbccddee0011223344556677");
}

TEST_F(ScanPaths, APartitionThatIsNotThereIsNamed) {
  const std::string partition = id + "/3";
  layers.push_back({.kind = LayerKind::kMultipath, .id = partition, .parameters = ""});
  whole_disk = true;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(found.problems.view(), HasSubstr("partition 3 is not on any of its paths"));
}

TEST_F(ScanPaths, WithoutALayerEachPathIsADisk) {
  layers.clear();
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(devices(), ::testing::UnorderedElementsAre("sda", "sdb"));
}

}  // namespace
}  // namespace kdinit
