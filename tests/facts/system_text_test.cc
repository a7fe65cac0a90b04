// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/system_text.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Ram, AddsTheSystemRamOfIomem) {
  EXPECT_EQ(parse_ram("00000000-00000fff : Reserved\n"
                      "00001000-00001fff : System RAM\n"
                      "100000000-1000fffff : System RAM\n"
                      "  100001000-1000010ff : Kernel code\n",
                      "MemTotal: 4 kB\n"),
            0x1000u + 0x100000u);
}

TEST(Ram, CountsHotPluggedMemoryInsideOtherRanges) {
  EXPECT_EQ(
      parse_ram("200000-2fffff : Persistent Memory\n  200000-2fffff : System RAM (kmem)\n", ""),
      0x100000u);
}

TEST(Ram, TakesMemTotalWhenAddressesAreHidden) {
  EXPECT_EQ(parse_ram("00000000-00000000 : System RAM\n00000000-00000000 : System RAM\n",
                      "MemFree: 1 kB\nMemTotal:        2048 kB\n"),
            2048u * 1024);
}

TEST(Ram, IsZeroWhenNothingTells) {
  EXPECT_EQ(parse_ram("", ""), 0u);
  EXPECT_EQ(parse_ram("x-y : System RAM\n5", "MemTotal: many\n"), 0u);
}

TEST(LoadedModules, AreSortedNames) {
  EXPECT_THAT(parse_loaded_modules("xfs 1 0 - Live 0x0\next4 2 1 xfs, Live 0x0\n"),
              ElementsAre("ext4", "xfs"));
  EXPECT_THAT(parse_loaded_modules(""), IsEmpty());
}

TEST(TimeZone, IsTheLastLine) {
  EXPECT_EQ(parse_time_zone("TZif2...\n...TZif2...\n<+0330>-3:30\n"), "<+0330>-3:30");
  EXPECT_EQ(parse_time_zone("TZif3..\nJST-9\n"), "JST-9");
}

TEST(TimeZone, IsUtcWhenTheFileDoesNotTell) {
  for (const std::string_view text :
       {"", "TZif", "TZif2..\n\n", "TZif2..\nJST-9", "nonsense\nJST-9\n", "TZif2..\nJST 9\n"}) {
    EXPECT_EQ(parse_time_zone(text), "UTC0") << text;
  }
  EXPECT_EQ(parse_time_zone(std::string_view("TZif\0..\nJST-9\n", 14)), "UTC0");  // version 1
}

TEST(SystemText, ModulesTakeWhatTheySay) {
  EXPECT_EQ(parse_module_bytes("ext4 983040 1 - Live 0x0\njbd2 167936 1 ext4, Live 0x0\n"),
            1150976U);
  for (const char* text :
       {"", "\n", "ext4\n", "ext4 x 1\n", "ext4 -5\n", "a 99999999999999999999\n"}) {
    EXPECT_EQ(parse_module_bytes(text), 0U) << text;
  }
}

}  // namespace
}  // namespace kd
