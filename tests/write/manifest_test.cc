// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/write/manifest.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Manifest sample() {
  return {.tool = "1",
          .kernel = "6.1.0-test",
          .target = "ext4 on vda for /var/crash",
          .settings = "zstd window 2^17 mtime 0",
          .level = "default",
          .variant = "whole",
          .reservation = 96 << 20,
          .needed = 80 << 20,
          .decisions = {"left out i915: graphics"},
          .inputs = {{"bin/makedumpfile", "/usr/bin/makedumpfile", "aa", "filters"},
                     {"lib/modules/ext4.ko", "/lib/modules/V/ext4.ko", "bb", "ext4 on vda"}},
          .image_digest = "cc",
          .image_size = 7};
}

TEST(Manifest, SurvivesTheRoundTrip) {
  const auto read = manifest_from_json(manifest_to_json(sample()));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, sample());
}

TEST(Manifest, OfTheSameBuildHasNoDifferences) {
  Manifest now = sample();
  now.image_digest.clear();
  now.image_size = 0;
  EXPECT_THAT(differences(sample(), now), IsEmpty());
}

TEST(Manifest, SaysWhichInputChanged) {
  Manifest now = sample();
  now.inputs[1].digest = "dd";
  EXPECT_THAT(differences(sample(), now),
              ElementsAre("lib/modules/ext4.ko changed: /lib/modules/V/ext4.ko"));
}

TEST(Manifest, SaysWhatCameAndWent) {
  Manifest now = sample();
  now.inputs[0] = {"lib/modules/dm_mod.ko", "/x", "ee", "added by hand"};
  EXPECT_THAT(differences(sample(), now),
              ElementsAre("lib/modules/dm_mod.ko is new (added by hand)",
                          "bin/makedumpfile is no longer needed"));
}

TEST(Manifest, SaysWhichSettingChanged) {
  Manifest now = sample();
  now.settings = "gzip level 9";
  now.tool = "2";
  const auto reasons = differences(sample(), now);
  ASSERT_EQ(reasons.size(), 2U);
  EXPECT_THAT(reasons[0], HasSubstr("version"));
  EXPECT_THAT(reasons[1], HasSubstr("gzip"));
}

TEST(Manifest, SaysThatTheLayoutWasChosenForAnotherReservation) {
  Manifest now = sample();
  now.variant = "packed";
  now.reservation = 0;
  EXPECT_THAT(differences(sample(), now), ElementsAre("layout: \"whole\" is now \"packed\"",
                                                      "reservation: \"96M\" is now \"unknown\""));
}

struct Damage {
  const char* text;
  const char* path;
};

class DamagedManifest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedManifest, IsRejectedWithThePath) {
  const auto read = manifest_from_json(GetParam().text);
  ASSERT_FALSE(read.has_value());
  EXPECT_THAT(read.error().message, HasSubstr(GetParam().path));
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedManifest,
    testing::Values(Damage{"", "JSON"}, Damage{"[]", "/version"},
                    Damage{"{\"version\":9}", "/version"}, Damage{"{\"version\":1}", "/tool"},
                    Damage{"{\"version\":1,\"tool\":5}", "/tool"},
                    Damage{"{\"version\":1,\"tool\":\"\",\"kernel\":\"\",\"target\":\"\","
                           "\"settings\":\"\",\"level\":\"\","
                           "\"variant\":\"\",\"reservation\":0,\"needed\":0,\"memory\":\"\","
                           "\"decisions\":[1],\"image_xxh3\":\"\",\"image_size\":1}",
                           "/decisions"},
                    Damage{"{\"version\":1,\"tool\":\"\",\"kernel\":\"\",\"target\":\"\","
                           "\"settings\":\"\",\"level\":\"\","
                           "\"variant\":\"\",\"reservation\":0,\"needed\":0,\"memory\":\"\","
                           "\"decisions\":[],\"image_xxh3\":\"\",\"image_size\":1,\"inputs\":[{}]}",
                           "/inputs/0/path"}));

}  // namespace
}  // namespace kd
