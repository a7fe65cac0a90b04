// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/reservation.h"

#include <gtest/gtest.h>

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// crashkernel=256M,high on Linux 6.1: the size counts the high part alone.
constexpr const char* kHighAndLow =
    "00100000-bfffffff : System RAM\n  a0000000-afffffff : Crash kernel\n"
    "100000000-27fffffff : System RAM\n  26f000000-27effffff : Crash kernel\n";

TEST(Reservation, AllPartsCount) {
  const Reservation both = parse_reservation(kHighAndLow, "268435456", "");
  EXPECT_EQ(both.bytes, 512 * kMiB);
  EXPECT_TRUE(both.high);
  EXPECT_EQ(both.end, 0x27f000000U);
  EXPECT_EQ(parse_reservation(kHighAndLow, "536870912", "").bytes, 512 * kMiB) << "Linux 6.6";
}

TEST(Reservation, OnePartBelowFourGiBIsNotHigh) {
  const Reservation one =
      parse_reservation("  37000000-3effffff : Crash kernel\n", "134217728", "");
  EXPECT_EQ(one.bytes, 128 * kMiB);
  EXPECT_EQ(one.end, 0x3f000000U);
  EXPECT_FALSE(one.high);
  EXPECT_EQ(one.cma, 0U);
}

TEST(Reservation, WithoutRightsTheSizeCounts) {
  const Reservation told =
      parse_reservation("  00000000-00000000 : Crash kernel\n", "134217728", "");
  EXPECT_EQ(told.bytes, 128 * kMiB);
  EXPECT_EQ(told.end, 0U) << "unknown";
}

TEST(Reservation, CmaIsHadByKexecFileLoadAlone) {
  const Reservation cma = parse_reservation("  37000000-3b1fffff : Crash kernel\n", "69206016",
                                            "40000000-40ffffff\n48000000-48ffffff\n");
  EXPECT_EQ(cma.cma, 32 * kMiB);
  EXPECT_EQ(usable_reservation(cma.bytes, cma.cma, ""), 98 * kMiB);
  EXPECT_EQ(usable_reservation(cma.bytes, cma.cma, "-s --console-vga"), 98 * kMiB);
  EXPECT_EQ(usable_reservation(cma.bytes, cma.cma, "--console-vga -c"), 66 * kMiB);
  EXPECT_EQ(usable_reservation(cma.bytes, cma.cma, "--kexec-syscall"), 66 * kMiB);
}

TEST(Reservation, KernelWithoutOneHasNone) {
  for (const char* size : {"", "0", "x", "-1"}) {
    EXPECT_EQ(parse_reservation(kHighAndLow, size, "0-ffffff\n").bytes, 0U) << size;
  }
}

TEST(Reservation, NonsenseIsPassedOver) {
  for (const char* iomem :
       {"x : Crash kernel\n", "5-4 : Crash kernel\n", "0-ffffffffffffffff : Crash kernel\n",
        "100000-1fffff : Crash kernel too\n", "99999999999999999999-1 : Crash kernel\n"}) {
    EXPECT_EQ(parse_reservation(iomem, "1048576", iomem).bytes, kMiB) << iomem;
  }
}

}  // namespace
}  // namespace kd
