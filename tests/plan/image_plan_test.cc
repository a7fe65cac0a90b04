// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/plan/image_plan.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "builder/plan/init_config_text.h"
#include "tests/machine_fixture.h"

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PlanInput small_input() {
  PlanInput input;
  input.kernel = "6.1.0-test";
  input.requirements = decide(virtio_machine(), {}, {}, {}, {"1.7.2", "6.1.0"}).value();
  input.modules.load_order = {
      {.name = "jbd2", .path = "/m/jbd2.ko.xz", .reason = "needed by ext4", .because = "ext4"},
      {.name = "ext4", .path = "/m/ext4.ko", .options = "a=1 b=2", .reason = "ext4 on vda"}};
  input.programs = {{.source = "/usr/bin/makedumpfile",
                     .image_path = "/bin/makedumpfile",
                     .reason = "filters and writes the dump",
                     .because = {}},
                    {.source = "/usr/lib/libc.so.6",
                     .image_path = "/lib/libc.so.6",
                     .reason = "library of makedumpfile",
                     .because = "/usr/bin/makedumpfile"}};
  input.init_path = "/usr/lib/kdump-mkinitrd/kdump-init";
  return input;
}

const PlanEntry* find(const ImagePlan& plan, std::string_view path) {
  const auto found = std::ranges::find(plan.entries, path, &PlanEntry::path);
  return found == plan.entries.end() ? nullptr : &*found;
}

TEST(ImagePlan, IsSortedWithoutRepeats) {
  PlanInput input = small_input();
  input.programs.push_back(input.programs.back());
  const auto plan = make_plan(input);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_TRUE(std::ranges::is_sorted(plan->entries, {}, &PlanEntry::path));
  EXPECT_EQ(std::ranges::adjacent_find(plan->entries, {}, &PlanEntry::path), plan->entries.end());
}

TEST(ImagePlan, StoresModulesUnderTheirPlainName) {
  const auto plan = make_plan(small_input());
  ASSERT_TRUE(plan.has_value());
  ASSERT_NE(find(*plan, "lib/modules/jbd2.ko"), nullptr);
  EXPECT_FALSE(find(*plan, "lib/modules/jbd2.ko")->packed);
}

TEST(ImagePlan, TellsInitWhatOnlyTheRootNeeds) {
  PlanInput input = small_input();
  input.root_only = {"ext4"};
  const auto plan = make_plan(input);
  ASSERT_TRUE(plan.has_value());
  EXPECT_NE(find(*plan, "lib/modules/ext4.ko"), nullptr);
  const std::string& config = find(*plan, "etc/kdump-init.conf")->text;
  EXPECT_THAT(config, HasSubstr("\nmodule /lib/modules/jbd2.ko\n"
                                "root-module /lib/modules/ext4.ko a=1 b=2\n"));
}

TEST(ImagePlan, PackedVariantTellsInitWhatToUnpack) {
  PlanInput input = small_input();
  input.variant = kVariants[1];
  const auto plan = make_plan(input);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  for (const char* path : {"lib/modules/ext4.ko.xz", "bin/makedumpfile.xz", "lib/libc.so.6.xz"}) {
    ASSERT_NE(find(*plan, path), nullptr) << path;
    EXPECT_TRUE(find(*plan, path)->packed);
  }
  EXPECT_FALSE(find(*plan, "init")->packed);
  const std::string text = find(*plan, "etc/kdump-init.conf")->text;
  EXPECT_THAT(text, HasSubstr("\nunpack /bin/makedumpfile.xz\n"));
  EXPECT_THAT(text, HasSubstr("\nmodule /lib/modules/ext4.ko.xz a=1 b=2\n"));
  EXPECT_EQ(why(*plan, "jbd2")->size(), 3U);
}

TEST(ImagePlan, WhyLeadsFromAModuleToTheTarget) {
  const auto plan = make_plan(small_input());
  ASSERT_TRUE(plan.has_value());
  const auto chain = why(*plan, "jbd2");
  ASSERT_TRUE(chain.has_value());
  EXPECT_THAT(*chain,
              ElementsAre("lib/modules/jbd2.ko: needed by ext4", "lib/modules/ext4.ko: ext4 on vda",
                          "target: ext4 on vda for /var/crash"));
  EXPECT_EQ(why(*plan, "/lib/libc.so.6")->front(), "lib/libc.so.6: library of makedumpfile");
}

TEST(ImagePlan, WhyNamesWhatIsSimilar) {
  const auto plan = make_plan(small_input());
  ASSERT_TRUE(plan.has_value());
  const auto chain = why(*plan, "libc");
  ASSERT_FALSE(chain.has_value());
  EXPECT_THAT(chain.error().message, HasSubstr("lib/libc.so.6"));
}

TEST(InitConfigText, IsWhatInitReads) {
  const PlanInput input = small_input();
  const auto text = init_config_text(input);
  ASSERT_TRUE(text.has_value()) << text.error().message;
  kdinit::InitConfig config;
  ASSERT_EQ(kdinit::parse(*text, config).line, 0U);
  EXPECT_EQ(config.kernel, "6.1.0-test");
  ASSERT_EQ(config.modules.count, 2U);
  EXPECT_EQ(config.modules.items[0].path, "/lib/modules/jbd2.ko");
  EXPECT_EQ(config.modules.items[1].options, "a=1 b=2");
  EXPECT_EQ(config.target.uuid, "11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(config.dump_directory, "/var/crash");
  EXPECT_EQ(config.dump_arguments.count, 3U);
  EXPECT_EQ(config.dump_note, "");
  EXPECT_EQ(config.target_timeout, input.requirements.target_timeout);
  EXPECT_EQ(config.stall_timeout, input.requirements.stall_timeout);
}

TEST(InitConfigText, TellsInitOfTheSafeLevelAndWhy) {
  PlanInput input = small_input();
  input.requirements = decide(virtio_machine(), {}, {}, {}, {"1.7.8", "7.3.4-amd64"}).value();
  const auto text = init_config_text(input);
  ASSERT_TRUE(text.has_value()) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("dump-argument -c\ndump-argument -d\ndump-argument 17\n"
                               "retry-argument -d\nretry-argument 17\n"));
  kdinit::InitConfig config;
  ASSERT_EQ(kdinit::parse(*text, config).line, 0U);
  EXPECT_EQ(config.dump_note, input.requirements.dump.note);
}

TEST(InitConfigText, NamesVolumesByTheirIds) {
  PlanInput input = small_input();
  const std::string group = "aaaaaa-0000-1111-2222-3333-4444-bbbbbb";
  input.requirements.layers = {
      {kdinit::LayerKind::kLvm, "cccccc-0000-0000-0000-0000-0000-000001", group},
      {kdinit::LayerKind::kLvm, "cccccc-0000-0000-0000-0000-0000-000002", group}};
  const auto text = init_config_text(input);
  ASSERT_TRUE(text.has_value()) << text.error().message;
  kdinit::InitConfig config;
  ASSERT_EQ(kdinit::parse(*text, config).line, 0U);
  ASSERT_EQ(config.layers.count, 2U);
  EXPECT_EQ(config.layers.items[1].parameters, group);
  EXPECT_EQ(config.layers.items[1].id, "cccccc-0000-0000-0000-0000-0000-000002");
}

TEST(InitConfigText, RefusesWhatInitWouldRefuse) {
  PlanInput input = small_input();
  input.modules.load_order.assign(kdinit::kMaxModules + 1, input.modules.load_order[0]);
  const auto text = init_config_text(input);
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().kind, ErrorKind::kUsage);

  PlanInput hostile = small_input();
  hostile.requirements.target.dump_directory = "/var/crash\nfailure-action halt";
  EXPECT_FALSE(init_config_text(hostile).has_value());
}

TEST(ImagePlan, CaptureRootfsTellsInitOfTheRootAlone) {
  PlanInput input = small_input();
  KdumpConfig config;
  config.capture = "rootfs";
  input.requirements = decide(virtio_machine(), config, {}, {"vm/x=1"}).value();
  input.programs.clear();
  const auto text = init_config_text(input);
  ASSERT_TRUE(text.has_value()) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("\ncapture rootfs\nroot-type ext4\nroot-uuid 11111111-"));
  EXPECT_THAT(*text, HasSubstr("\nsysctl vm/x=1\n"));
  EXPECT_THAT(*text, testing::Not(HasSubstr("target-type")));
  EXPECT_THAT(*text, testing::Not(HasSubstr("target-uuid")));
}

}  // namespace
}  // namespace kd
