// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/lvm.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/init/storage/memory_device.h"

namespace kdinit::lvm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Id id_of(const std::string& text) {
  Id id;
  EXPECT_TRUE(parse_id(text, id)) << text;
  return id;
}

std::string text_of(const Id& id) {
  Text<64> text;
  put_id(id, text);
  return std::string(text.view());
}

// The texts of all areas of a device that are valid.
std::vector<std::string> texts_of(const std::string& content) {
  MemoryDevice device(content);
  Label label;
  EXPECT_EQ(read_label(device, label), LabelState::kFound);
  std::vector<std::string> texts;
  std::vector<char> buffer(kMaxTextBytes);
  for (const Area& area : label.areas) {
    std::string_view text;
    if (read_text(device, area, buffer, text) == TextState::kValid) texts.emplace_back(text);
  }
  return texts;
}

std::uint64_t seqno_of(const std::string& text) {
  Summary summary;
  EXPECT_TRUE(read_summary(text, summary));
  return summary.seqno;
}

// "START+LENGTH chunk N: PV@SECTOR ..." for each segment.
std::vector<std::string> lines_of(const Volume& volume) {
  std::vector<std::string> lines;
  for (const Segment& segment : volume.segments) {
    std::string line = std::to_string(segment.start) + "+" + std::to_string(segment.length);
    if (segment.stripe_size > 0) line += " chunk " + std::to_string(segment.stripe_size);
    for (std::uint32_t i = 0; i < segment.stripe_count; ++i) {
      const Stripe& stripe = volume.stripes.items[segment.first_stripe + i];
      line += " " + std::string(volume.physical_volumes.items[stripe.below].name) + "@" +
              std::to_string(stripe.start);
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(LvmDisk, AreasOfOnePhysicalVolume) {
  EXPECT_EQ(texts_of(recorded_lvm("group-1")).size(), 2u);
  EXPECT_EQ(texts_of(recorded_lvm("group-2")).size(), 1u);
  EXPECT_EQ(texts_of(recorded_lvm("group-3")).size(), 0u) << "made without an area";
}

TEST(LvmDisk, NewestTextHasTheHighestSeqno) {
  const auto older = texts_of(recorded_lvm("stale-1")), newer = texts_of(recorded_lvm("group-2"));
  ASSERT_FALSE(older.empty() || newer.empty());
  EXPECT_EQ(seqno_of(older[0]) + 2, seqno_of(newer[0])) << "an lvextend and an lvchange later";
}

TEST(LvmDisk, TextGoesOnAtTheStartOfItsArea) {
  const auto texts = texts_of(recorded_lvm("wrap-1"));
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_GT(seqno_of(texts[0]), 50u);
  EXPECT_THAT(texts[0], HasSubstr("a-tag-that-takes-place-in-the-text-300"));
}

TEST(LvmDisk, EveryChangedByteOfHeadersAndTextIsSeen) {
  const std::string content = recorded_lvm("group-2");
  MemoryDevice device(content);
  Label label;
  ASSERT_EQ(read_label(device, label), LabelState::kFound);
  for (const std::size_t place : {512 + 16, 512 + 21, 512 + 40, 512 + 500}) {
    device.bytes = content;
    device.bytes[place] ^= 1;
    Label other;
    EXPECT_EQ(read_label(device, other), LabelState::kDamaged) << place;
  }
  std::vector<char> buffer(kMaxTextBytes);
  std::string_view text;
  const std::size_t start = label.areas.items[0].offset;
  const std::size_t at = content.find("contents = ", start);
  for (const std::size_t place : {start, start + 5, start + 41, start + 300}) {
    device.bytes = content;
    device.bytes[place] ^= 1;
    EXPECT_EQ(read_text(device, label.areas.items[0], buffer, text), TextState::kDamaged) << place;
  }
  ASSERT_NE(at, std::string::npos);
  device.bytes = content;
  EXPECT_EQ(read_text(device, label.areas.items[0], std::span(buffer).first(100), text),
            TextState::kTooLarge);
}

TEST(LvmDisk, NoLabelIsNone) {
  MemoryDevice empty(std::string(8192, '\0')), tiny(std::string(100, 'x'));
  Label label;
  EXPECT_EQ(read_label(empty, label), LabelState::kNone);
  EXPECT_EQ(read_label(tiny, label), LabelState::kNone);
}

TEST(LvmText, SegmentsAreThoseThatLvsPrints) {
  const auto texts = texts_of(recorded_lvm("group-1"));
  ASSERT_FALSE(texts.empty());
  const auto volume = std::make_unique<Volume>();
  EXPECT_EQ(find_volume(texts[0], id_of(kRecordedRoot), *volume).what, nullptr);
  // Extents 0-2 and 7-8 of the third disk, 2-5 of the first; 2048 sectors each, from 2048 on.
  EXPECT_THAT(lines_of(*volume),
              ElementsAre("0+6144 pv2@2048", "6144+4096 pv2@16384", "10240+8192 pv0@6144"));
  EXPECT_EQ(text_of(volume->group), kRecordedGroup);
  std::vector<bool> needed;
  for (const auto& physical : volume->physical_volumes) needed.push_back(physical.needed);
  EXPECT_THAT(needed, ElementsAre(true, false, true));
  EXPECT_EQ(find_volume(texts[0], id_of(kRecordedStriped), *volume).what, nullptr);
  EXPECT_THAT(lines_of(*volume), ElementsAre("0+12288 chunk 128 pv0@2048 pv1@2048 pv2@12288"));
}

TEST(LvmText, NamesAreThoseOfLvm) {
  const auto texts = texts_of(recorded_lvm("group-2"));
  ASSERT_FALSE(texts.empty());
  const auto volume = std::make_unique<Volume>();
  ASSERT_FALSE(find_volume(texts[0], id_of(kRecordedRoot), *volume).refused());
  Text<128> name, uuid;
  put_dm_name(*volume, volume->devices.items[0], name);
  put_dm_uuid(volume->group, volume->id, uuid);
  EXPECT_EQ(name.view(), "vg--a----b-ro--ot");
  EXPECT_EQ(uuid.view(), "LVM-VzJLTZToVIbmM3Gvf34JMKhInxvxab3Zvd8zn8elaEWkccbyfvY39PmxyNcxkc2d");
}

TEST(LvmText, IdKeepsItsDashes) {
  EXPECT_EQ(text_of(id_of(kRecordedGroup)), kRecordedGroup);
  Id id;
  EXPECT_FALSE(parse_id("VzJLTZToVIbmM3Gvf34JMKhInxvxab3Z", id));
  EXPECT_FALSE(parse_id("", id));
}

// A change of the recorded text of lvm, and what is refused for it. Where a volume of another type
// is added its keys are those of lib/<type>/<type>.c of lvm2.
struct Change {
  const char* name;
  const char* from;
  const char* to;
  const char* what;
  const char* detail;
};

class RefusedLvm : public ::testing::TestWithParam<Change> {};

TEST_P(RefusedLvm, IsNamed) {
  auto texts = texts_of(recorded_lvm("group-1"));
  ASSERT_FALSE(texts.empty());
  std::string& text = texts[0];
  const std::size_t start = text.find("ro-ot {");  // what comes before it is of the group
  std::size_t at = text.find(GetParam().from, start);
  if (at == std::string::npos) at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(GetParam().from).size(), GetParam().to);
  const auto volume = std::make_unique<Volume>();
  const Refusal refusal = find_volume(text, id_of(kRecordedRoot), *volume);
  ASSERT_TRUE(refusal.refused());
  EXPECT_THAT(refusal.what, HasSubstr(GetParam().what));
  EXPECT_EQ(refusal.detail, GetParam().detail);
}

#define OTHER(TYPE, KEYS)                                                                         \
  "zz {\nid = \"zzzzzz-zzzz-zzzz-zzzz-zzzz-zzzz-zzzzzz\"\nsegment1 {\ntype = \"" TYPE "\"\n" KEYS \
  "\n}\n}\nother {"

INSTANTIATE_TEST_SUITE_P(
    All, RefusedLvm,
    ::testing::Values(
        Change{"cache", "type = \"striped\"", "type = \"cache+CACHE_USES_CACHEVOL\"", "type",
               "cache+CACHE_USES_CACHEVOL"},
        Change{"vdo", "type = \"striped\"", "type = \"vdo\"", "type", "vdo"},
        Change{"raid5", "type = \"striped\"", "type = \"raid5\"", "type", "raid5"},
        Change{"mirror", "type = \"striped\"", "type = \"mirror\"", "type", "mirror"},
        Change{"snapshot", "other {", OTHER("snapshot", "origin = \"ro-ot\"\ncow_store = \"c\""),
               "snapshot", "zz"},
        Change{"cow", "other {", OTHER("snapshot", "origin = \"c\"\ncow_store = \"ro-ot\""), "used",
               "zz"},
        Change{"part", "other {", OTHER("raid1", "raids = [\n\"x\", \"ro-ot\" ]"), "used", "zz"},
        Change{"pvmove", "\"VISIBLE\"", "\"VISIBLE\", \"LOCKED\"", "pvmove", ""},
        Change{"on_pvmove", "\"pv2\"", "\"pvmove0\"", "made of another", "pvmove0"},
        Change{"hidden", ", \"VISIBLE\"", "", "part of another", ""},
        Change{"read_only", "\"READ\", \"WRITE\", \"VISIBLE\"", "\"READ\", \"VISIBLE\"",
               "read-only", ""},
        Change{"unknown_flag", "\"VISIBLE\"", "\"VISIBLE\", \"NEW\"", "unsupported flag", "NEW"},
        Change{"exported", "\"RESIZEABLE\"", "\"RESIZEABLE\", \"EXPORTED\"", "marked", "EXPORTED"},
        Change{"clustered", "\"RESIZEABLE\"", "\"CLUSTERED\"", "marked", "CLUSTERED"},
        Change{"unknown_group_flag", "\"RESIZEABLE\"", "\"NEW\"", "unknown flag", "NEW"},
        Change{"shared", "extent_size", "lock_type = \"sanlock\"\nextent_size", "shared",
               "sanlock"},
        Change{"gap", "start_extent = 3", "start_extent = 4", "damaged", ""},
        Change{"missing_segment", "segment_count = 3", "segment_count = 4", "damaged", ""},
        Change{"beyond_the_disk", "\"pv2\", 7", "\"pv2\", 22", "damaged", ""},
        Change{"cut_off", "ro-ot {", "ro-ot {\nx = \"", "damaged", ""}),
    [](const auto& change) { return std::string(change.param.name); });

TEST(LvmText, MissingPhysicalVolumeMattersWhereItIsNeeded) {
  auto texts = texts_of(recorded_lvm("group-1"));
  ASSERT_FALSE(texts.empty());
  const auto volume = std::make_unique<Volume>();
  for (const auto& [name, refused] : {std::pair{"pv1", false}, std::pair{"pv2", true}}) {
    std::string text = texts[0];
    const std::size_t flags = text.find("flags = []", text.find(std::string(name) + " {"));
    text.replace(flags, 10, "flags = [\"MISSING\"]");
    const Refusal refusal = find_volume(text, id_of(kRecordedRoot), *volume);
    EXPECT_EQ(refusal.refused(), refused) << name;
    if (refused) {
      EXPECT_EQ(refusal.detail, name);
    }
  }
}

TEST(LvmText, UnknownVolumeIsNamed) {
  const auto texts = texts_of(recorded_lvm("group-1"));
  ASSERT_FALSE(texts.empty());
  const auto volume = std::make_unique<Volume>();
  EXPECT_THAT(find_volume(texts[0], id_of(kRecordedGroup), *volume).what,
              HasSubstr("no such logical volume"));
}

TEST(LvmText, OtherTextIsNoGroup) {
  Summary summary;
  for (const char* text : {"", "x", "contents = \"Other\"\nversion = 1\nv {\n}", "a { b {", "}"}) {
    EXPECT_FALSE(read_summary(text, summary)) << text;
  }
}

// A number with a tail is no number, not the one in front of it.
TEST(LvmText, DamagedSeqnoIsNone) {
  Summary summary;
  EXPECT_FALSE(
      read_summary("contents = \"Text Format Volume Group\"\nversion = 1\nvg0 {\n"
                   "id = \"gggggg-gggg-gggg-gggg-gggg-gggg-gggggg\"\nseqno = 7\xff\n}\n",
                   summary));
  EXPECT_EQ(summary.seqno, 0u);
}

}  // namespace
}  // namespace kdinit::lvm
