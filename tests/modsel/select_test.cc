// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/modsel/fake_index.h"

namespace modsel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class Select : public ::testing::Test {
 protected:
  ModuleSet select_all(const std::vector<std::string>& names) {
    for (const std::string& name : names) request.wanted.push_back(want(name));
    return select_request();
  }
  ModuleSet select_request() {
    kd::Result<ModuleSet> set = select(request, index);
    EXPECT_TRUE(set.has_value()) << set.error().message;
    return set.value_or(ModuleSet{});
  }
  std::string error_of(const Wanted& wanted) {
    request.wanted.push_back(wanted);
    const kd::Result<ModuleSet> set = select(request, index);
    EXPECT_FALSE(set.has_value());
    return set ? "" : set.error().message;
  }

  FakeIndex index;
  ModuleRequest request;
};

TEST_F(Select, KeepsDependencyBeforeUser) {
  index.add("mbcache");
  index.add("jbd2");
  index.add("ext4", {"mbcache", "jbd2"});
  const ModuleSet set = select_all({"ext4"});
  EXPECT_THAT(names_of(set), ElementsAre("jbd2", "mbcache", "ext4"));
  EXPECT_THAT(set.load_order[2].needs, ElementsAre("jbd2", "mbcache"));
  EXPECT_EQ(set.load_order[0].reason, "needed by ext4");
  EXPECT_EQ(set.load_order[0].because, "ext4");
  EXPECT_EQ(set.load_order[2].reason, "test of ext4");
  EXPECT_EQ(set.load_order[2].because, "");
}

TEST_F(Select, TakesEachModuleOnce) {
  index.add("core");
  index.add("a", {"core"});
  index.add("b", {"core"});
  EXPECT_THAT(names_of(select_all({"a", "b", "a"})), ElementsAre("core", "a", "b"));
}

TEST_F(Select, GivesTheSameSetForAnyOrderOfWanted) {
  index.add("core");
  index.add("a", {"core"}).soft_pre = {"b"};
  index.add("b", {"core"});
  const ModuleSet forward = select_all({"a", "b"});
  request.wanted.clear();
  const ModuleSet backward = select_all({"b", "a"});
  EXPECT_EQ(names_of(forward), names_of(backward));
}

TEST_F(Select, AsksOnlyForModulesItSelects) {
  index.add("crc32c_generic");
  index.add("crc32c_intel");
  index.add("other");
  index.aliases["crypto_crc32c"] = {"crc32c_intel", "crc32c_generic"};
  index.add("ext4").soft_pre = {"crypto_crc32c"};
  select_all({"ext4"});
  EXPECT_THAT(index.asked, UnorderedElementsAre("ext4", "crc32c_generic"));
}

TEST_F(Select, LoadsSoftdepsBeforeAndAfter) {
  index.add("before");
  index.add("after");
  ModuleInfo& user = index.add("user");
  user.soft_pre = {"before"};
  user.soft_post = {"after"};
  const ModuleSet set = select_all({"user"});
  EXPECT_THAT(names_of(set), ElementsAre("before", "user", "after"));
  EXPECT_EQ(set.load_order[0].reason, "softdep of user");
  EXPECT_THAT(set.load_order[2].needs, ElementsAre("user"));
}

TEST_F(Select, IgnoresSoftdepToNoModule) {
  index.add("user").soft_pre = {"nowhere"};
  const ModuleSet set = select_all({"user"});
  EXPECT_THAT(names_of(set), ElementsAre("user"));
  EXPECT_THAT(set.warnings, IsEmpty());
}

TEST_F(Select, LoadsDependenciesOfSoftdepsToo) {
  index.add("library");
  index.add("soft", {"library"});
  index.add("user").soft_pre = {"soft"};
  EXPECT_THAT(names_of(select_all({"user"})), ElementsAre("library", "soft", "user"));
}

TEST_F(Select, CutsSoftdepLoopWithOneWarning) {
  index.add("a").soft_pre = {"b"};
  index.add("b").soft_pre = {"a"};
  const ModuleSet set = select_all({"a"});
  EXPECT_THAT(names_of(set), UnorderedElementsAre("a", "b"));
  ASSERT_THAT(set.warnings, SizeIs(1));
  EXPECT_THAT(set.warnings[0], HasSubstr("loop"));
}

TEST_F(Select, KeepsHardDependencyWhenSoftdepClosesLoop) {
  index.add("core").soft_pre = {"user"};
  index.add("user", {"core"});
  const ModuleSet set = select_all({"core"});
  EXPECT_THAT(names_of(set), ElementsAre("core", "user"));
  EXPECT_THAT(set.warnings, SizeIs(1));
}

TEST_F(Select, LoadsWeakdepsBeforeUser) {
  index.add("weak");
  index.add("user").weak = {"weak", "nowhere"};
  const ModuleSet set = select_all({"user"});
  EXPECT_THAT(names_of(set), ElementsAre("weak", "user"));
  EXPECT_EQ(set.load_order[0].reason, "weakdep of user");
}

TEST_F(Select, TakesTheGenericProviderOfAnAlgorithm) {
  index.add("crc32c_generic");
  index.add("crc32c_intel");
  index.aliases["crypto-crc32c"] = {"crc32c_intel", "crc32c_generic"};
  index.add("ext4").soft_pre = {"crypto-crc32c"};
  EXPECT_THAT(names_of(select_all({"ext4"})), ElementsAre("crc32c_generic", "ext4"));
}

TEST_F(Select, TakesBuiltinGenericProviderAlone) {
  index.add("sha256_ssse3");
  index.add_builtin("sha256_generic");
  index.aliases["sha256"] = {"sha256_ssse3", "sha256_generic"};
  index.add("btrfs").soft_pre = {"sha256"};
  const ModuleSet set = select_all({"btrfs"});
  EXPECT_THAT(names_of(set), ElementsAre("btrfs"));
}

TEST_F(Select, TakesEveryProviderWhenNoneIsGeneric) {
  index.add("fast_a");
  index.add("fast_b");
  index.aliases["crypto-x"] = {"fast_a", "fast_b"};
  EXPECT_THAT(names_of(select_all({"crypto-x"})), ElementsAre("fast_a", "fast_b"));
}

TEST_F(Select, TakesEveryDriverOfAModalias) {
  index.add("ata_generic");
  index.add("ata_piix");
  index.aliases["pci:v00008086"] = {"ata_piix", "ata_generic"};
  EXPECT_THAT(names_of(select_all({"pci:v00008086"})),
              UnorderedElementsAre("ata_generic", "ata_piix"));
}

TEST_F(Select, LeavesOutSoftdepAModuleWorksWithout) {
  index.add("crct10dif_generic");
  index.aliases["crct10dif"] = {"crct10dif_generic"};
  index.add("crc_t10dif").soft_pre = {"crct10dif"};
  EXPECT_THAT(names_of(select_all({"crc_t10dif"})), ElementsAre("crc_t10dif"));
}

TEST_F(Select, BuiltinModulesAreNotLoaded) {
  index.add_builtin("nvme");
  index.add("ext4");
  EXPECT_THAT(names_of(select_all({"nvme", "ext4"})), ElementsAre("ext4"));
}

TEST_F(Select, FailsWhenRequiredNameLeadsNowhere) {
  EXPECT_THAT(error_of(want("nowhere")),
              AllOf(HasSubstr("test of nowhere"), HasSubstr("'nowhere'")));
}

TEST_F(Select, SkipsOptionalNameThatLeadsNowhere) {
  request.wanted.push_back(want("nowhere", false));
  EXPECT_THAT(select_request().load_order, IsEmpty());
}

TEST_F(Select, TriesTheOtherNameOnlyWhenTheFirstLeadsNowhere) {
  index.add("first");
  index.add("second");
  Wanted wanted = want("first");
  wanted.otherwise = "second";
  request.wanted = {wanted};
  EXPECT_THAT(names_of(select_request()), ElementsAre("first"));
  request.wanted[0].what = "gone";
  EXPECT_THAT(names_of(select_request()), ElementsAre("second"));
}

TEST_F(Select, NamesBothEndsOfMissingDependency) {
  index.add("ext4", {"mbcache"});
  EXPECT_THAT(error_of(want("ext4")), AllOf(HasSubstr("ext4"), HasSubstr("mbcache")));
}

TEST_F(Select, RefusesHardDependencyLoop) {
  index.add("a", {"b"});
  index.add("b", {"a"});
  EXPECT_THAT(error_of(want("a")), HasSubstr("need each other"));
}

TEST_F(Select, AppendsOptionsOfTheRequestToThoseOfTheModule) {
  index.add("bonding").options = "mode=1";
  Wanted wanted = want("bonding");
  wanted.options = "miimon=100";
  request.wanted = {wanted};
  EXPECT_EQ(select_request().load_order.at(0).options, "mode=1 miimon=100");
}

TEST_F(Select, PassesFirmwareAndWarningsOn) {
  ModuleInfo& info = index.add("tg3");
  info.firmware = {"tigon/tg3.bin"};
  info.warnings = {"an install command"};
  const ModuleSet set = select_all({"tg3"});
  EXPECT_THAT(set.load_order.at(0).firmware, ElementsAre("tigon/tg3.bin"));
  EXPECT_THAT(set.warnings, ElementsAre("an install command"));
}

TEST_F(Select, AddsCharacterSetsOfVfat) {
  index.add("fat");
  index.add("vfat", {"fat"});
  index.add("nls_cp437");
  index.add("nls_ascii");
  const ModuleSet set = select_all({"vfat"});
  EXPECT_THAT(names_of(set), ElementsAre("nls_cp437", "fat", "nls_ascii", "vfat"));
  EXPECT_THAT(set.load_order[0].reason, HasSubstr("hidden dependency of fat"));
}

TEST_F(Select, AddsPathHandlersThatAreLoaded) {
  index.add("sd_mod");
  index.add("scsi_dh_alua");
  index.add("scsi_dh_rdac");
  request.loaded = {"ext4", "scsi_dh_alua"};
  EXPECT_THAT(names_of(select_all({"sd_mod"})), ElementsAre("scsi_dh_alua", "sd_mod"));
}

TEST_F(Select, AddsHiddenDependencyOfBuiltinModule) {
  index.add_builtin("sd_mod");
  index.add("scsi_dh_alua");
  request.loaded = {"scsi_dh_alua"};
  EXPECT_THAT(names_of(select_all({"sd_mod"})), ElementsAre("scsi_dh_alua"));
}

TEST_F(Select, LeavesOutDeniedModuleThatIsNotRequired) {
  index.add("i915", {}, "kernel/drivers/gpu/drm/i915");
  request.wanted = {want("i915", false)};
  const ModuleSet set = select_request();
  EXPECT_THAT(set.load_order, IsEmpty());
  ASSERT_THAT(set.denied, SizeIs(1));
  EXPECT_EQ(set.denied[0].name, "i915");
  EXPECT_THAT(set.denied[0].reason, HasSubstr("graphics"));
}

TEST_F(Select, LeavesOutDeniedSoftdepWithItsDependencies) {
  index.add("drm", {}, "kernel/drivers/gpu/drm");
  index.add("i2c_algo_bit");
  index.add("i915", {"drm", "i2c_algo_bit"}, "kernel/drivers/gpu/drm/i915");
  index.add("user").soft_pre = {"i915"};
  EXPECT_THAT(names_of(select_all({"user"})), ElementsAre("user"));
}

TEST_F(Select, TakesDeniedHardDependencyWithWarning) {
  index.add("cfg80211", {}, "kernel/net/wireless");
  index.add("user", {"cfg80211"});
  const ModuleSet set = select_all({"user"});
  EXPECT_THAT(names_of(set), ElementsAre("cfg80211", "user"));
  EXPECT_THAT(set.denied, IsEmpty());
  ASSERT_THAT(set.warnings, SizeIs(1));
  EXPECT_THAT(set.warnings[0], AllOf(HasSubstr("cfg80211"), HasSubstr("needed by user")));
}

TEST_F(Select, ForgetsDenialOfModuleThatIsNeededLater) {
  index.add("drm", {}, "kernel/drivers/gpu/drm");
  index.add("user", {"drm"});
  request.wanted = {want("drm", false), want("user")};
  const ModuleSet set = select_request();
  EXPECT_THAT(names_of(set), ElementsAre("drm", "user"));
  EXPECT_THAT(set.denied, IsEmpty());
}

TEST_F(Select, LeavesOutDeniedDriverWhenAnotherIsLeft) {
  index.add("storage");
  index.add("nvidia");
  index.aliases["pci:v1"] = {"nvidia", "storage"};
  const ModuleSet set = select_all({"pci:v1"});
  EXPECT_THAT(names_of(set), ElementsAre("storage"));
  EXPECT_THAT(set.denied, SizeIs(1));
}

TEST_F(Select, FailsWhenEveryDriverOfARequiredDeviceIsDenied) {
  index.add("nvidia");
  index.add("nvidia_drm");
  index.aliases["pci:v1"] = {"nvidia", "nvidia_drm"};
  EXPECT_THAT(error_of(want("pci:v1")), HasSubstr("no module for 'pci:v1': nvidia, nvidia_drm ("));
}

TEST_F(Select, LeavesOutWhatTheKernelRefusesAndSaysWhy) {
  index.add("storage");
  index.add("slow");
  index.aliases["pci:v1"] = {"slow", "storage"};
  request.wanted = {want("pci:v1")};
  request.refused = {"slow"};
  const ModuleSet set = select_request();
  EXPECT_THAT(names_of(set), ElementsAre("storage"));
  ASSERT_THAT(set.denied, SizeIs(1));
  EXPECT_THAT(set.denied[0].reason, HasSubstr("module_blacklist="));
}

TEST_F(Select, FailsWhenTheKernelRefusesWhatIsNeeded) {
  index.add("core");
  index.add("storage", {"core"});
  for (const char* refused : {"storage", "core"}) {
    request.refused = {refused};
    EXPECT_THAT(error_of(want("storage")),
                AllOf(HasSubstr(std::string(refused) + " would not be loaded"),
                      HasSubstr("module_blacklist=")));
  }
}

}  // namespace
}  // namespace modsel
