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
          .crashed_kernel = "6.1.0-test",
          .target = "ext4 on vda for /var/crash",
          .settings = "zstd level default window 2^17 mtime 0",
          .variant = "whole",
          .basis = {.asked = {.variant = "", .compression = "zstd", .level = "3"},
                    .reservation = 96 << 20,
                    .figures = "zstd; whole 1 2 3",
                    .memory = "measured in a capture on 2026-11-23"},
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
  now.settings = "gzip level 9 window 2^17 mtime 0";
  now.tool = "2";
  const auto reasons = differences(sample(), now);
  ASSERT_EQ(reasons.size(), 2U);
  EXPECT_THAT(reasons[0], HasSubstr("version"));
  EXPECT_THAT(reasons[1], HasSubstr("gzip"));
}

TEST(Manifest, SaysWhyThereIsAnotherLayout) {
  Manifest now = sample();
  now.variant = "packed";
  now.basis.figures = "zstd; whole 4 5 6";
  now.basis.memory = "measured in a boot test on 2026-11-24";
  EXPECT_THAT(
      differences(sample(), now),
      ElementsAre("layout: \"whole\" is now \"packed\": memory figures were \"measured in a "
                  "capture on 2026-11-23\", are \"measured in a boot test on 2026-11-24\""));
  now.basis.reservation = 0;
  EXPECT_THAT(
      differences(sample(), now),
      ElementsAre("layout: \"whole\" is now \"packed\": the reservation was 96M, is unknown"));
  now.basis.asked.variant = "packed";
  EXPECT_THAT(
      differences(sample(), now),
      ElementsAre("layout: \"whole\" is now \"packed\": asked for was none, is \"packed\""));
}

// As long as its memory is filtered alike; else the configuration of init is another input.
TEST(Manifest, OfTheSameImageMayBeForAnotherKernelThatCrashes) {
  Manifest now = sample();
  now.crashed_kernel = "6.1.0-other";
  EXPECT_THAT(differences(sample(), now), IsEmpty());
}

TEST(Manifest, OfTheSameImageMayHaveAnotherBasis) {
  Manifest now = sample();
  now.basis = {.asked = {.variant = "whole", .compression = "", .level = ""},
               .reservation = 0,
               .figures = "zstd; whole 4 5 6",
               .memory = "measured in a capture on 2026-11-24"};
  EXPECT_THAT(differences(sample(), now), IsEmpty());
}

TEST(Manifest, OfTheSameImageThatNeedsMoreSaysSo) {
  Manifest now = sample();
  now.needed = 81 << 20;
  EXPECT_THAT(
      differences(sample(), now),
      ElementsAre("memory: it needed 80M, it needs 81M: measured in a capture on 2026-11-23"));
}

TEST(LayoutBasis, ChoosesAlikeWhateverTheDateOfAMeasurement) {
  const LayoutBasis before = sample().basis;
  LayoutBasis now = before;
  now.memory = "measured in a capture on 2026-11-24";
  EXPECT_TRUE(now.chooses_like(before));
  for (const auto change : {+[](LayoutBasis& basis) { basis.asked.variant = "whole"; },
                            +[](LayoutBasis& basis) { basis.reservation = 97 << 20; },
                            +[](LayoutBasis& basis) { basis.figures = "zstd; whole 1 2 4"; }}) {
    LayoutBasis other = before;
    change(other);
    EXPECT_FALSE(other.chooses_like(before));
  }
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

// A whole manifest but for one member.
std::string damaged(const char* member, const std::string& value) {
  std::string text = manifest_to_json(sample());
  const std::size_t start = text.find(fmt::format("\"{}\": ", member));
  const std::size_t end = text.find_first_of("[,", start);
  return text.replace(start, end - start, fmt::format("\"{}\": {}", member, value));
}

TEST(Manifest, OfTheWrongTypesIsRejectedWithThePath) {
  for (const char* member : {"tool", "kernel", "target", "settings", "figures", "memory"}) {
    const auto read = manifest_from_json(damaged(member, "5"));
    ASSERT_FALSE(read.has_value()) << member;
    EXPECT_THAT(read.error().message, HasSubstr(fmt::format("/{}: is no string", member)));
  }
  for (const char* member : {"reservation", "needed"}) {
    const auto read = manifest_from_json(damaged(member, "-1"));
    ASSERT_FALSE(read.has_value()) << member;
    EXPECT_THAT(read.error().message, HasSubstr(fmt::format("/{}: is no whole number", member)));
  }
}

INSTANTIATE_TEST_SUITE_P(Damages, DamagedManifest,
                         testing::Values(Damage{"", "JSON"}, Damage{"[]", "/: is no object"},
                                         Damage{"{\"version\":9}", "/version is 9"},
                                         Damage{"{\"version\":2}", "/tool: is missing"},
                                         Damage{"{\"version\":2,\"version\":2}",
                                                "'version' appears twice"}));

TEST(Manifest, NamesTheElementThatIsDamaged) {
  std::string decisions = manifest_to_json(sample());
  const std::string decision = "\"left out i915: graphics\"";
  decisions.replace(decisions.find(decision), decision.size(), "1");
  std::string inputs = manifest_to_json(sample());
  const std::string digest = "\"xxh3\": \"bb\"";
  inputs.replace(inputs.find(digest), digest.size(), "\"xxh3\": 7");
  for (const auto& [text, path] :
       {std::pair{decisions, "/decisions/0: is no string"}, {inputs, "/inputs/1/xxh3: is no"}}) {
    const auto read = manifest_from_json(text);
    ASSERT_FALSE(read.has_value()) << path;
    EXPECT_THAT(read.error().message, HasSubstr(path));
  }
}

}  // namespace
}  // namespace kd
