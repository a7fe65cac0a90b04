// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/memory.h"

#include <gtest/gtest.h>

namespace kdinit {
namespace {

TEST(Memory, ReadsItsFiguresOfMeminfo) {
  const Memory memory = parse_meminfo(
      "MemTotal:          75964 kB\nMemFree:           56320 kB\nMemAvailable:      53012 kB\n"
      "Buffers:               0 kB\nCached:             6712 kB\nSwapCached:            1 kB\n");
  EXPECT_EQ(memory.total, 75964u);
  EXPECT_EQ(memory.free, 56320u);
  EXPECT_EQ(memory.available, 53012u);
  EXPECT_EQ(memory.cached, 6712u);
}

TEST(Memory, DamagedMeminfoGivesZeros) {
  for (const char* text : {"", "MemTotal:", "MemTotal:   ", "MemTotal: x kB"}) {
    EXPECT_EQ(parse_meminfo(text).total, 0u) << text;
  }
}

TEST(Memory, CountsOnlyTopLevelRamOfIomem) {
  EXPECT_EQ(parse_iomem_ram("00000000-00000fff : Reserved\n"
                            "00001000-0009fbff : System RAM\n"
                            "36000000-3dffffff : System RAM\n"
                            "  36000000-37001fff : Kernel code\n"
                            "  37000000-37ffffff : System RAM\n"
                            "fee00000-fee00fff : Local APIC\n"),
            0x9ec00u + 0x8000000u);
}

TEST(Memory, HiddenOrCutIomemCountsNothing) {
  EXPECT_EQ(parse_iomem_ram("00000000-00000000 : System RAM\n"), 0u);
  EXPECT_EQ(parse_iomem_ram("00001000"), 0u);
  EXPECT_EQ(parse_iomem_ram(" : System RAM"), 0u);
}

}  // namespace
}  // namespace kdinit
