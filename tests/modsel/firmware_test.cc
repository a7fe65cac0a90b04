// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/firmware.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/base/rooted_reader.h"
#include "tests/base/temporary_directory.h"

namespace modsel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Firmware : public ::testing::Test {
 protected:
  FirmwareSet find(const std::vector<std::string>& names) {
    Module module;
    module.name = "m";
    module.firmware = names;
    const kd::Result<kd::RootedReader> reader = kd::RootedReader::open(dir.path());
    EXPECT_TRUE(reader.has_value());
    return find_firmware({module}, "6.1", *reader);
  }
  static std::vector<std::string> names_of(const FirmwareSet& set) {
    std::vector<std::string> names;
    for (const FirmwareFile& file : set.files) names.push_back(file.name);
    return names;
  }
  TemporaryDirectory dir;
};

TEST_F(Firmware, FindsPlainFile) {
  dir.write("lib/firmware/a/b.bin", "x");
  const FirmwareSet set = find({"a/b.bin"});
  ASSERT_THAT(set.files, SizeIs(1));
  EXPECT_EQ(set.files[0].name, "a/b.bin");
  EXPECT_EQ(set.files[0].path, "/lib/firmware/a/b.bin");
  EXPECT_EQ(set.files[0].module, "m");
  EXPECT_THAT(set.missing, IsEmpty());
}

TEST_F(Firmware, FindsCompressedFile) {
  dir.write("lib/firmware/a.bin.xz", "x");
  dir.write("lib/firmware/b.bin.zst", "x");
  EXPECT_THAT(names_of(find({"b.bin", "a.bin"})), ElementsAre("a.bin.xz", "b.bin.zst"));
}

TEST_F(Firmware, PrefersUpdatesAsTheKernelDoes) {
  dir.write("lib/firmware/a.bin", "x");
  dir.write("lib/firmware/updates/a.bin", "x");
  EXPECT_THAT(names_of(find({"a.bin"})), ElementsAre("updates/a.bin"));
  dir.write("lib/firmware/updates/6.1/a.bin", "x");
  EXPECT_THAT(names_of(find({"a.bin"})), ElementsAre("updates/6.1/a.bin"));
}

TEST_F(Firmware, ListsMissingFileWithItsModule) {
  const FirmwareSet set = find({"gone.bin", "gone.bin"});
  ASSERT_THAT(set.missing, SizeIs(1));
  EXPECT_EQ(set.missing[0].name, "gone.bin");
  EXPECT_EQ(set.missing[0].module, "m");
}

TEST_F(Firmware, ExpandsPatternInEveryComponent) {
  dir.write("lib/firmware/brcm/x1/a.bin", "x");
  dir.write("lib/firmware/brcm/x2/a.bin.xz", "x");
  dir.write("lib/firmware/brcm/y/a.bin", "x");
  EXPECT_THAT(names_of(find({"brcm/x*/*.bin"})), ElementsAre("brcm/x1/a.bin", "brcm/x2/a.bin.xz"));
}

TEST_F(Firmware, PatternWithoutMatchIsMissing) { EXPECT_THAT(find({"none*"}).missing, SizeIs(1)); }

TEST_F(Firmware, DirectoryIsNoFirmware) {
  dir.write("lib/firmware/d/x", "x");
  EXPECT_THAT(find({"d"}).missing, SizeIs(1));
}

TEST_F(Firmware, NameCannotLeadOutOfTheDirectory) {
  dir.write("etc/shadow", "x");
  dir.write("lib/firmware/x", "x");
  EXPECT_THAT(find({"../../etc/shadow", "/etc/shadow", "../../etc/*"}).files, IsEmpty());
}

}  // namespace
}  // namespace modsel
