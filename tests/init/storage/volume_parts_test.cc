// SPDX-License-Identifier: GPL-2.0-or-later
//
// Volumes that lvm makes of others, as it has made them (tests/boot/record_volumes.py), and what
// the kernel is asked for.
#include <gmock/gmock.h>

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
            "LVM-bHjkaT4IOlDMY9FHq8i2UeNlk5V4bCM8wdVKC6Ox8aHwxWgNpDWEbngd1urQRm1K");
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
