// SPDX-License-Identifier: GPL-2.0-or-later
//
// Volumes that lvm makes of others, as it has made them (tests/boot/record_volumes.py), and what
// the kernel is asked for.
#include <gmock/gmock.h>

#include <fstream>
#include <memory>

#include "builder/init/storage/lvm.h"
#include "tests/init/storage/memory_device.h"
#include "tests/init/storage/scan_fixture.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ScanParts : public ScanDevices {
 protected:
  ScanParts() {
    for (int i = 1; i <= 3; ++i) add_disk(i);
    want(kPartsMirror);
    // The last device of a volume is the one with the file system.
    mapper.on_create = [this] {
      const std::string& name = mapper.names.back();
      if (name == "p--g-mirror" || name == "p--g-three" || name == "p--g-thin") appear();
    };
  }
  void want(const char* volume) {
    layers = {{.kind = LayerKind::kLvm, .id = volume, .parameters = kPartsGroup}};
  }
  void add_disk(int number) {
    const std::string name = std::string("sd") + static_cast<char>('a' + number - 1);
    add_device(name, recorded_lvm("parts-" + std::to_string(number)));
    root.write("sys/" + name + "/dev", "8:" + std::to_string(number * 16) + "\n");
  }
  // Where the metadata of the pool begin, as its table has it.
  void write_pool(const std::string& superblock) {
    std::fstream disk(root.path("dev/sdc"));
    disk.seekp(std::streamoff{55296} * 512);
    disk << superblock;
  }
  void appear() {
    add_device("dm-0", xfs_image());
    root.write("sys/dm-0/dm/uuid", mapper.uuids.back() + "\n");
  }
};

TEST_F(ScanParts, Raid1IsMadeOfItsLegsAsLvmLoadsIt) {
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.names,
              ElementsAre("p--g-mirror_rmeta_0", "p--g-mirror_rimage_0", "p--g-mirror_rmeta_1",
                          "p--g-mirror_rimage_1", "p--g-mirror"));
  EXPECT_THAT(
      mapper.tables,
      ElementsAre(ElementsAre("0 2048 linear 8:16 2048"), ElementsAre("0 16384 linear 8:16 4096"),
                  ElementsAre("0 2048 linear 8:32 2048"), ElementsAre("0 16384 linear 8:32 4096"),
                  ElementsAre("0 16384 raid raid1 3 0 region_size 4096 2 "
                              "253:0 253:1 253:2 253:3")));
  EXPECT_EQ(mapper.uuids.back(),
            "LVM-pXNy3o3ZmxoI45aitJJZIYbOIHHEX7Jnm5UQMPVe1hjfm7LWzEeKYKx0lnUrRnSt");
  EXPECT_EQ(found.made.view(), "p--g-mirror with 2 of 2 legs");
}

TEST_F(ScanParts, Raid1IsFrozenOnceItIsMade) {
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.messages, ElementsAre("p--g-mirror: frozen"));
}

TEST_F(ScanParts, LegThatIsMissingIsWaitedForAndThenLeftOut) {
  std::filesystem::remove_all(root.path("sys/sda"));
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  patient = false;
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.names,
              ElementsAre("p--g-mirror_rmeta_1", "p--g-mirror_rimage_1", "p--g-mirror"));
  EXPECT_THAT(mapper.tables.back(), ElementsAre("0 16384 raid raid1 3 0 region_size 4096 2 "
                                                "- - 253:0 253:1"));
  EXPECT_EQ(found.made.view(), "p--g-mirror with 1 of 2 legs");
}

TEST_F(ScanParts, Raid1WithoutAnyLegIsMissing) {
  for (const char* disk : {"sys/sda", "sys/sdb"}) std::filesystem::remove_all(root.path(disk));
  patient = false;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("is missing"));
}

TEST_F(ScanParts, CopyOfALegIsRefused) {
  add_device("sdd", recorded_lvm("parts-1"));
  root.write("sys/sdd/dev", "8:64\n");
  patient = false;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("are both its physical volume"));
}

TEST_F(ScanParts, WhatWasMadeIsTakenBackWhenTheVolumeCannotBe) {
  mapper.refused = "p--g-mirror";
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.removed,
              testing::IsSupersetOf({"p--g-mirror_rimage_1", "p--g-mirror_rmeta_1",
                                     "p--g-mirror_rimage_0", "p--g-mirror_rmeta_0"}));
  EXPECT_THAT(mapper.messages, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("cannot make p--g-mirror: Input/output error"));
}

TEST_F(ScanParts, ThreeLegsAreAsGoodAsTwo) {
  want(kPartsThree);
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.tables.back(), ElementsAre("0 8192 raid raid1 3 0 region_size 4096 3 253:0 "
                                                "253:1 253:2 253:3 253:4 253:5"));
}

class ScanThin : public ScanParts {
 protected:
  ScanThin() {
    want(kPartsThin);
    write_pool(recorded_lvm("pool"));
  }
};

TEST_F(ScanThin, VolumeIsMadeOfItsPoolAsLvmLoadsIt) {
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.names,
              ElementsAre("p--g-pool_tmeta", "p--g-pool_tdata", "p--g-pool-tpool", "p--g-thin"));
  // But for the last word: there is nobody in the capture who would make room.
  EXPECT_THAT(
      mapper.tables,
      ElementsAre(ElementsAre("0 4096 linear 8:48 55296"), ElementsAre("0 32768 linear 8:48 22528"),
                  ElementsAre("0 32768 thin-pool 253:0 253:1 128 0 1 error_if_no_space"),
                  ElementsAre("0 65536 thin 253:2 1")));
  std::vector<std::string> suffixes;
  for (const std::string& uuid : mapper.uuids) suffixes.push_back(uuid.substr(68));
  EXPECT_THAT(suffixes, ElementsAre("-tmeta", "-tdata", "-tpool", ""));
  EXPECT_EQ(found.made.view(), "p--g-thin");
}

TEST_F(ScanThin, PoolTellsWhatMayBeWrittenToWhatLiesOnIt) {
  ASSERT_TRUE(scan("xfs"));
  // An encrypted volume on it, and the disks below.
  for (const auto& [above, below] :
       {std::pair("dm-5", "dm-0"), {"dm-0", "dm-2"}, {"dm-2", "dm-1"}, {"dm-1", "sdc"}}) {
    root.write("sys/" + std::string(above) + "/slaves/" + below, "");
  }
  root.write("sys/dm-2/dev", "253:2\n");
  const std::string sys = root.path("sys");
  const DeviceDirectories directories{.sys_block = sys, .dev = "/dev"};
  EXPECT_EQ(assembly.room("/dev/dm-5", directories), 8u << 20);
  EXPECT_EQ(assembly.room("/dev/dm-0", directories), 8u << 20);
  EXPECT_EQ(assembly.room("/dev/dm-1", directories), kNoLimit);
  EXPECT_EQ(assembly.room("/dev/sda", directories), kNoLimit);
  std::string later = recorded_lvm("pool");
  later[72] = 64;  // chunks in use
  write_pool(sealed_pool(later));
  EXPECT_EQ(assembly.room("/dev/dm-5", directories), 4u << 20);
  write_pool(std::string(4096, '\0'));
  EXPECT_EQ(assembly.room("/dev/dm-5", directories), 8u << 20) << "as it was found";
}

TEST_F(ScanThin, TwoVolumesShareTheirPool) {
  layers.push_back({.kind = LayerKind::kLvm, .id = kPartsSnap, .parameters = kPartsGroup});
  mapper.on_create = [this] {
    const std::string device = mapper.names.back() == "p--g-snap" ? "dm-1" : "dm-0";
    add_device(device, xfs_image(device == "dm-0" ? "0123456789012345" : "abcdefghijklmnop"));
    root.write("sys/" + device + "/dm/uuid", mapper.uuids.back() + "\n");
  };
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.names, ElementsAre("p--g-pool_tmeta", "p--g-pool_tdata", "p--g-pool-tpool",
                                        "p--g-thin", "p--g-snap"));
  EXPECT_THAT(mapper.tables.back(), ElementsAre("0 65536 thin 253:2 2"));
}

TEST_F(ScanThin, PoolOfAnotherVolumeIsNotTakenBack) {
  layers.push_back({.kind = LayerKind::kLvm, .id = kPartsSnap, .parameters = kPartsGroup});
  mapper.refused = "p--g-snap";
  EXPECT_TRUE(scan("xfs"));
  EXPECT_THAT(mapper.removed, testing::Each("p--g-snap"));
  EXPECT_THAT(found.problems.view(), HasSubstr("cannot make p--g-snap"));
}

TEST_F(ScanThin, PoolIsNotStartedWithoutItsMetadata) {
  write_pool(std::string(4096, '\0'));  // the kernel would format it
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.problems.view(),
              HasSubstr("unreadable or damaged are the metadata of its pool"));
}

TEST_F(ScanThin, PoolIsNotMadeWithoutADiskOfIt) {
  std::filesystem::remove_all(root.path("sys/sdc"));
  patient = false;
  EXPECT_FALSE(scan("xfs"));
  EXPECT_THAT(mapper.names, IsEmpty());
  EXPECT_THAT(found.problems.view(), HasSubstr("is missing"));
}

class Parts : public ::testing::Test {
 protected:
  Parts() {
    MemoryDevice device(recorded_lvm("parts-1"));
    lvm::Label label;
    EXPECT_EQ(lvm::read_label(device, label), lvm::LabelState::kFound);
    std::string_view read;
    EXPECT_EQ(lvm::read_text(device, label.areas.items[0], buffer_, read), lvm::TextState::kValid);
    text = read;
  }
  // As find_volume() of the text, changed behind `place`.
  lvm::Refusal find(const char* id, const std::string& place = {}, const std::string& from = {},
                    const std::string& to = {}) {
    changed_ = text;
    const std::size_t start = changed_.find(place);
    const std::size_t at = changed_.find(from, start);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) changed_.replace(at, from.size(), to);
    lvm::Id wanted;
    EXPECT_TRUE(lvm::parse_id(id, wanted));
    return lvm::find_volume(changed_, wanted, *volume);
  }
  std::string text;
  const std::unique_ptr<lvm::Volume> volume = std::make_unique<lvm::Volume>();

 private:
  std::vector<char> buffer_ = std::vector<char>(lvm::kMaxTextBytes);
  std::string changed_;
};

TEST_F(Parts, OtherTypesAreRefusedByName) {
  EXPECT_EQ(find(kPartsFive).detail, "raid5");
  EXPECT_EQ(find(kPartsBase).what, std::string("the volume has a snapshot"));
}

TEST_F(Parts, Raid1ThatIsNotAsLvmLeavesItIsRefused) {
  struct Row {
    const char *place, *from, *to, *what, *detail;
  };
  const char* const rebuild = "\"READ\", \"WRITE\", \"REBUILD\"";
  for (const auto& [place, from, to, what, detail] : {
           Row{"mirror {", "region_size", "writebehind = 5\nregion_size", "unsupported setting",
               "writebehind"},
           Row{"mirror_rimage_1 {", "\"READ\", \"WRITE\"", rebuild, "unsupported flag", "REBUILD"},
           Row{"mirror {", "mirror_rimage_0", "three_rimage_0", "used by", "three"},
           Row{"mirror {", "mirror_rimage_0", "mirror", "damaged", ""},
           Row{"mirror {", "mirror_rmeta_0\", \"mirror_rimage_0", "none\", \"mirror_rimage_0",
               "damaged", ""},
           Row{"mirror {", "device_count = 2", "device_count = 3", "damaged", ""},
           Row{"mirror_rimage_1 {", "extent_count = 8", "extent_count = 7", "damaged", ""},
           Row{"mirror_rimage_0 {", "\"striped\"", "\"raid1\"", "a part of the volume", "raid1"},
           Row{"three {", "region_size", "raids = [ \"mirror_rimage_1\" ]\nregion_size", "used by",
               "three"},
       }) {
    const lvm::Refusal refusal = find(kPartsMirror, place, from, to);
    ASSERT_TRUE(refusal.refused()) << to;
    EXPECT_THAT(refusal.what, HasSubstr(what)) << to;
    EXPECT_EQ(refusal.detail, detail) << to;
  }
}

TEST_F(Parts, ThinVolumeKnowsItsPool) {
  ASSERT_EQ(find(kPartsThin).what, nullptr);
  const lvm::ThinPool& pool = volume->pool;
  EXPECT_EQ(pool.name, "pool");
  EXPECT_EQ(pool.transaction, 2u);
  EXPECT_FALSE(pool.pending);
  EXPECT_TRUE(pool.zero);
  EXPECT_EQ(pool.discards, lvm::Discards::kPassDown);
  EXPECT_EQ(pool.chunk, 128u);
  EXPECT_EQ(pool.promised, 2u * 65536 / 128) << "to the volume and to its snapshot";
  EXPECT_EQ(pool.volume_id, 1u);
  EXPECT_FALSE(find(kPartsMirror).refused());
  EXPECT_EQ(volume->pool.name, "") << "of the volume before";
}

TEST_F(Parts, WhatAPoolHasBeforeItIsNoReasonToRefuseIt) {
  const char* const message = "message1 {\ncreate = \"snap\"\n}\nzero_new_blocks";
  ASSERT_EQ(find(kPartsThin, "pool {", "zero_new_blocks", message).what, nullptr);
  EXPECT_TRUE(volume->pool.pending);
  const char* const full = "flags = [\"ERROR_WHEN_FULL\"]";
  EXPECT_EQ(find(kPartsThin, "pool {", "flags = []", full).what, nullptr);
}

TEST_F(Parts, PoolsAreLoadedWithTheirSettings) {
  ASSERT_EQ(find(kPartsThin, "pool {", "\"passdown\"\nzero_new_blocks = 1", "\"nopassdown\"").what,
            nullptr);
  EXPECT_EQ(volume->pool.discards, lvm::Discards::kNoPassDown);
  EXPECT_FALSE(volume->pool.zero);
}

TEST_F(Parts, ThinVolumeThatIsNotAsLvmLeavesItIsRefused) {
  struct Row {
    const char *place, *from, *to, *what, *detail;
  };
  for (const auto& [place, from, to, what, detail] : {
           Row{"thin {", "device_id", "external_origin = \"base\"\ndevice_id",
               "unsupported setting", "external_origin"},
           Row{"snap {", "origin = ", "merge = ", "used by", "snap"},
           Row{"cow {", "type = \"striped\"", "type = \"snapshot\"\norigin = \"thin\"",
               "has a snapshot", "cow"},
           Row{"thin {", "\"pool\"", "\"thin\"", "damaged", ""},
           Row{"thin {", "\"pool\"", "\"base\"", "a snapshot", ""},
           Row{"thin {", "\"pool\"", "\"mirror_rmeta_0\"", "used by", "mirror"},
           Row{"thin {", "\"pool\"", "\"none\"", "damaged", ""},
           Row{"thin {", "device_id = 1", "device_id = 16777216", "damaged", ""},
           Row{"pool {", "\"thin-pool\"", "\"thin-pool+CROP_METADATA\"", "a part of the volume",
               "thin-pool+CROP_METADATA"},
           Row{"pool {", "\"pool_tmeta\"", "\"pool_tdata\"", "damaged", ""},
           Row{"pool {", "\"pool_tmeta\"", "\"pool\"", "used by", "pool"},
           Row{"pool {", "\"pool_tmeta\"", "\"thin\"", "used by", "pool"},
           Row{"pool {", "chunk_size = 128", "chunk_size = 100", "damaged", ""},
           Row{"pool {", "passdown", "maybe", "damaged", ""},
           Row{"pool {", "zero_new_blocks", "journal = 1\nzero_new_blocks", "unsupported setting",
               "journal"},
           Row{"pool_tdata {", "extent_count = 16", "extent_count = 15", "damaged", ""},
           Row{"pool_tdata {", "\"striped\"", "\"cache\"", "a part of the volume", "cache"},
           Row{"three {", "region_size", "raids = [ \"pool_tdata\" ]\nregion_size", "used by",
               "three"},
       }) {
    const lvm::Refusal refusal = find(kPartsThin, std::string("\n") + place, from, to);
    ASSERT_TRUE(refusal.refused()) << place << to;
    EXPECT_THAT(refusal.what, HasSubstr(what)) << place << to;
    EXPECT_THAT(refusal.detail, HasSubstr(detail)) << place << to;
  }
}

TEST_F(Parts, PoolIsNoVolume) { EXPECT_EQ(find(kPartsPool).detail, "thin-pool"); }

TEST_F(Parts, BoundsOfARecoveryAreNoneOfInitsBusiness) {
  EXPECT_FALSE(find(kPartsMirror, "mirror {", "region_size", "max_recovery_rate = 5\nregion_size")
                   .refused());
}

TEST_F(Parts, Raid1DoesWithoutALegWhoseDiskLvmMarksMissing) {
  EXPECT_FALSE(
      find(kPartsMirror, "pv0 {", "\"ALLOCATABLE\"]", "\"ALLOCATABLE\", \"MISSING\"]").refused());
  EXPECT_TRUE(volume->devices.items[0].missing);
  EXPECT_TRUE(volume->devices.items[1].missing);
  EXPECT_FALSE(volume->devices.items[4].missing);
}

}  // namespace
}  // namespace kdinit
