// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which directories load takes for the dump of a rehearsal, and what is removed.
#include "tests/hooks/rehearse_fixture.h"

namespace kd {
namespace {

using testing::HasSubstr;

// Everybody can read the id of a boot, and write to a world-writable /var/crash.
TEST_F(Rehearse, NobodyElseCanForgeOne) {
  if (::geteuid() != 0) GTEST_SKIP() << "nothing can be given away";
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture();
  const std::string run = std::string("var/crash/") + kRun, apart = "var/crash/rehearsal-";
  std::filesystem::copy(machine.root.path(run), machine.root.path(apart + kRun));
  give_away(apart + kRun);
  const std::string link = "202311281308";
  machine.root.write("var/elsewhere/dmesg." + link, machine.root.read(run + "/dmesg." + kRun));
  std::filesystem::create_directory_symlink("../elsewhere", machine.root.path(apart + link));
  give_away(run + "/dmesg." + kRun);
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("FAILED: nothing was saved"));
  EXPECT_TRUE(exists(run));
}

TEST_F(Rehearse, AReportOfSomebodyElseIsNone) {
  if (::geteuid() != 0) GTEST_SKIP() << "nothing can be given away";
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture();
  give_away(std::string("var/crash/") + kRun + "/kdump-report.json");
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("it left no report"));
}

// Each may have a log of 64 MiB, which load reads at boot.
TEST_F(Rehearse, OneLogIsReadInEachOfTheNewestDirectoriesOnly) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture();
  const std::string run = std::string("var/crash/") + kRun;
  std::filesystem::rename(machine.root.path(run + "/dmesg." + kRun),
                          machine.root.path(run + "/dmesg.202311281308"));
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("FAILED: nothing was saved"));
}

TEST_F(Rehearse, OldDirectoriesAreNotLookedAtWhicheverTheyAre) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture();
  std::filesystem::rename(machine.root.path(std::string("var/crash/") + kRun),
                          machine.root.path(std::string("var/crash/rehearsal-") + kRun));
  for (int day = 10; day < 30; ++day) {
    std::filesystem::create_directory(
        machine.root.path(fmt::format("var/crash/rehearsal-202312{}0000", day)));
  }
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("FAILED: nothing was saved"));
}

// Where an administrator has removed it himself, the name is free for everybody.
TEST_F(Rehearse, ALinkInThePlaceOfItsDumpIsNotFollowed) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture("unfinished");
  boot(kSecondBoot);
  const std::string apart = machine.root.path(std::string("var/crash/rehearsal-") + kRun);
  std::filesystem::remove_all(apart);
  machine.root.write("var/precious/file", "x");
  std::filesystem::create_directory_symlink("../precious", apart);
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  EXPECT_TRUE(exists("var/precious/file"));
}

}  // namespace
}  // namespace kd
