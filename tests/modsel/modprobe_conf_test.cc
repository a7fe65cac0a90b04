// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/modprobe_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/base/rooted_reader.h"
#include "tests/base/temporary_directory.h"

namespace modsel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ModprobeConf parse(std::string_view text) {
  ModprobeConf conf;
  parse_modprobe_conf(text, "test.conf", conf);
  return conf;
}

TEST(ModprobeConf, JoinsOptionsOfOneModule) {
  const ModprobeConf conf = parse("options e1000-x  a=1 b=\"x y\"\noptions e1000_x c=2\n");
  EXPECT_EQ(conf.options.at("e1000_x"), "a=1 b=\"x y\" c=2");
}

TEST(ModprobeConf, JoinsContinuedLines) {
  EXPECT_EQ(parse("options a b=1 \\\n  c=2").options.at("a"), "b=1   c=2");
}

TEST(ModprobeConf, IgnoresCommentsAndEmptyLines) {
  const ModprobeConf conf = parse("# options a b=1\n\n   \n\t# x\n");
  EXPECT_THAT(conf.options, IsEmpty());
  EXPECT_THAT(conf.warnings, IsEmpty());
}

TEST(ModprobeConf, SplitsSoftdepIntoPreAndPost) {
  const ModprobeConf conf = parse("softdep a-b pre: c-d e post: f");
  ASSERT_THAT(conf.softdeps, SizeIs(1));
  EXPECT_EQ(conf.softdeps[0].pattern, "a_b");
  EXPECT_THAT(conf.softdeps[0].pre, ElementsAre("c_d", "e"));
  EXPECT_THAT(conf.softdeps[0].post, ElementsAre("f"));
}

TEST(ModprobeConf, IgnoresSoftdepWordsBeforeKeyword) {
  const ModprobeConf conf = parse("softdep cifs gcm");
  EXPECT_THAT(conf.softdeps.at(0).pre, IsEmpty());
  EXPECT_THAT(conf.softdeps.at(0).post, IsEmpty());
}

TEST(ModprobeConf, KeepsWeakdepsApart) {
  EXPECT_THAT(parse("weakdep a b c-d").weakdeps.at(0).modules, ElementsAre("b", "c_d"));
}

TEST(ModprobeConf, RemembersPlaceOfInstallCommand) {
  const ModprobeConf conf = parse("\ninstall usb-storage /bin/true\nremove x /bin/true\n");
  EXPECT_EQ(conf.commands.at("usb_storage"), "test.conf:2: install");
  EXPECT_THAT(conf.commands, SizeIs(1));
}

TEST(ModprobeConf, NamesPlaceOfBadLine) {
  const ModprobeConf conf = parse("blacklist\nalias a\nfrobnicate b c\n");
  ASSERT_THAT(conf.warnings, SizeIs(3));
  EXPECT_THAT(conf.warnings[2], AllOf(HasSubstr("test.conf:3"), HasSubstr("frobnicate b c")));
}

TEST(ModprobeConf, KeepsDashesInsideBrackets) {
  EXPECT_EQ(normalise("usb:v1-2[0-9]*-x"), "usb:v1_2[0-9]*_x");
}

TEST(ModprobeConf, EarlierDirectoryHidesSameNameInLaterOne) {
  const TemporaryDirectory dir;
  dir.write("etc/modprobe.d/a.conf", "options m from=etc\n");
  dir.write("lib/modprobe.d/a.conf", "options m from=lib\n");
  dir.write("lib/modprobe.d/b.conf", "options m also=lib\n");
  dir.write("lib/modprobe.d/c.conf.dpkg-old", "options m never=1\n");
  const kd::Result<kd::RootedReader> reader = kd::RootedReader::open(dir.path());
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(read_modprobe_conf(*reader).options.at("m"), "from=etc also=lib");
}

}  // namespace
}  // namespace modsel
