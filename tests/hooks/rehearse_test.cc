// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/rehearse.h"

#include <nlohmann/json.hpp>

#include "hooks/dumps.h"
#include "hooks/rehearsal_crash.h"
#include "hooks/status.h"
#include "tests/hooks/rehearse_fixture.h"

namespace kd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(Rehearse, FromArmingToStatus) {
  EXPECT_EQ(text(), "none");
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  EXPECT_THAT(machine.said, AllOf(HasSubstr("panics on purpose"), HasSubstr("systemctl reboot")));
  EXPECT_THAT(machine.runner.calls.back(),
              ElementsAre("/usr/sbin/systemctl", "start", "kdump-tools-rehearse.service"));
  EXPECT_THAT(text(), HasSubstr("armed on"));
  shut_down("reboot");
  ASSERT_TRUE(crashed());

  capture();
  boot(kSecondBoot);
  EXPECT_THAT(machine.said, HasSubstr("the dump is being read"));
  EXPECT_THAT(machine.said, HasSubstr("took the memory figures of"));
  EXPECT_TRUE(exists(std::string("var/lib/kdump/measured-") + kRunning + ".json"));
  EXPECT_THAT(crash_directory(), Not(testing::Contains(kRun))) << "put apart from real dumps";
  EXPECT_THAT(list_dumps(machine.reader(), KdumpConfig{}), IsEmpty());
  ASSERT_TRUE(is_waiting_for_judgement(machine.reader()));
  start_verification(machine.context(), KdumpConfig{});
  EXPECT_TRUE(has(machine.runner.calls.back(), "kdump-tools-verify.service"));

  ASSERT_TRUE(judge_rehearsal(machine.context()));
  EXPECT_THAT(text(), AllOf(HasSubstr("with this kernel and image: dump whole"), HasSubstr("3.0 s"),
                            HasSubstr("48 MiB were left")));
  EXPECT_THAT(crash_directory(), ElementsAre("kexec_cmd")) << "removed after it was judged";
  EXPECT_THAT(show_text(*gather_status(machine.context())), HasSubstr("dump          2.00 s"));
  EXPECT_EQ(
      nlohmann::json::parse(status_json(*gather_status(machine.context())))["rehearsal"]["counts"],
      true);
  shut_down("reboot");
  EXPECT_FALSE(crashed()) << "only once";

  machine.root.write(std::string("var/lib/kdump/initrd.img-") + kRunning, "another image");
  EXPECT_THAT(text(), HasSubstr("no longer counts: the image is another one"));
}

TEST_F(Rehearse, FiguresStayWhenItsDumpIsGone) {
  machine.root.write("var/crash/202301010000/kdump-report.json",
                     fmt::format(R"({{"version": 1, "result": "saved", "kernel": "{}",
          "image_kernel": "{}", "profile": "tuned", "stamp": "202301010000",
          "memory": {{"map_kib": 131056, "total_kib": 76300, "start_free_kib": 50000,
          "start_cached_kib": 7000, "lowest_available_kib": 40000}}}})",
                                 kRunning, kRunning));
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture();
  boot(kSecondBoot);
  boot("a third one");
  EXPECT_THAT(machine.root.read(std::string("var/lib/kdump/measured-") + kRunning + ".json"),
              HasSubstr("2023-11-28"));
}

TEST_F(Rehearse, NothingHappensAtAPoweroff) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("poweroff");
  EXPECT_FALSE(crashed());
  boot(kSecondBoot);
  EXPECT_THAT(text(), AllOf(HasSubstr("has shown nothing"), HasSubstr("systemctl reboot")));
  shut_down("reboot");
  EXPECT_FALSE(crashed());
}

TEST_F(Rehearse, NothingHappensWhereTheRecordCannotBeWritten) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  job = "123";
  {
    const ReadOnly full(machine, "var/lib/kdump");
    EXPECT_FALSE(begin_rehearsal(machine.context()));
  }
  crash_for_rehearsal(machine.reader(), "reboot", 0);
  EXPECT_FALSE(crashed());
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("did not begin with the reboot that was armed"));
}

// Not "FAILED": there was no crash.
TEST_F(Rehearse, NothingIsBegunWhereTheMarkCannotBeWritten) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  job = "123";
  std::filesystem::create_directory(machine.root.path("run/kdump/rehearsal"));
  EXPECT_FALSE(begin_rehearsal(machine.context()));
  crash_for_rehearsal(machine.reader(), "reboot", 0);
  EXPECT_FALSE(crashed());
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("did not begin with the reboot that was armed"));
}

// systemctl reboot --force stops no unit.
TEST_F(Rehearse, NothingHappensInARebootByForce) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  EXPECT_EQ(crash_for_rehearsal(machine.reader(), "reboot", 0), 0);
  EXPECT_FALSE(crashed());
}

TEST_F(Rehearse, NothingHappensAfterACancel) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  ASSERT_TRUE(cancel_rehearsal(machine.context()));
  EXPECT_THAT(machine.said, HasSubstr("an ordinary one"));
  EXPECT_EQ(text(), "none");
  shut_down("reboot");
  EXPECT_FALSE(crashed());
  machine.said.clear();
  ASSERT_TRUE(cancel_rehearsal(machine.context()));
  EXPECT_EQ(machine.said, "no rehearsal is armed\n");
}

TEST_F(Rehearse, NothingHappensWhenTheImageWasReplaced) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  machine.root.write(std::string("var/lib/kdump/initrd.img-") + kRunning, "another image");
  shut_down("reboot");
  EXPECT_FALSE(crashed());
  EXPECT_THAT(text(), HasSubstr("changed since it was armed: the image is another one"));
}

TEST_F(Rehearse, NothingHappensWhereTheTargetHasNoRoomAnyMore) {
  const std::string total = "MemTotal: 9007199254740991 kB\n";  // 8 EiB: no disk has that free
  machine.root.write("proc/meminfo", total + "MemFree: 9007199254740991 kB\n");
  boot(kFirstBoot);
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  machine.root.write("proc/meminfo", total + "MemFree: 1 kB\n");
  shut_down("reboot");
  EXPECT_FALSE(crashed());
  EXPECT_THAT(text(),
              AllOf(HasSubstr("has shown nothing: /var/crash has"), HasSubstr("make room")));
}

TEST_F(Rehearse, NothingHappensWhereItCouldNotBeToldFromACrashAnyMore) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  machine.root.write("proc/sys/kernel/printk_devkmsg", "off\n");
  shut_down("reboot");
  EXPECT_FALSE(crashed());
  EXPECT_THAT(text(), HasSubstr("has shown nothing: kernel.printk_devkmsg is off"));
  machine.root.write("proc/sys/kernel/printk_devkmsg", "on\n");
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  machine.configure("KDUMP_DUMP_DMESG=0\n");
  shut_down("reboot");
  EXPECT_FALSE(crashed());
  EXPECT_THAT(text(), HasSubstr("has shown nothing: KDUMP_DUMP_DMESG=0"));
}

TEST_F(Rehearse, NothingHappensWithoutAKdumpKernel) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  machine.set_loaded(false);
  shut_down("reboot");
  EXPECT_FALSE(crashed());
}

TEST_F(Rehearse, PowerThatWasCutIsNoLoop) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  ASSERT_TRUE(crashed());
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("FAILED: nothing was saved"));
  shut_down("reboot");
  EXPECT_FALSE(crashed());
}

TEST_F(Rehearse, PowerThatWasCutWhileItSavedIsTold) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture("unfinished");
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("has shown nothing: the capture was cut off"));
  EXPECT_THAT(list_dumps(machine.reader(), KdumpConfig{}), IsEmpty());
  // The next one takes what is left of it away.
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  EXPECT_THAT(crash_directory(), ElementsAre("kexec_cmd"));
}

TEST_F(Rehearse, ADumpOfARealCrashStays) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  capture();
  boot(kSecondBoot);
  EXPECT_THAT(text(), HasSubstr("is not of a rehearsal"));
  ASSERT_TRUE(judge_rehearsal(machine.context()));
  EXPECT_TRUE(exists(std::string("var/crash/") + kRun + "/dump." + kRun));
}

TEST_F(Rehearse, ADamagedDumpIsKeptAsEvidence) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture();
  boot(kSecondBoot);
  verdict = "damaged";
  ASSERT_TRUE(judge_rehearsal(machine.context()));
  const std::string kept = std::string("/var/crash/rehearsal-") + kRun;
  EXPECT_THAT(text(), AllOf(HasSubstr("FAILED: the dump is damaged: page 0x5"), HasSubstr(kept)));
  EXPECT_TRUE(exists(kept.substr(1)));
}

// Power was lost after the dump was put apart and before the record said so.
TEST_F(Rehearse, IsFoundWhereItWasPutApart) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("reboot");
  capture();
  std::filesystem::rename(machine.root.path(std::string("var/crash/") + kRun),
                          machine.root.path(std::string("var/crash/rehearsal-") + kRun));
  boot(kSecondBoot);
  ASSERT_TRUE(judge_rehearsal(machine.context()));
  EXPECT_THAT(text(), HasSubstr("dump whole"));
}

TEST_F(Rehearse, IsRefusedWithEveryReason) {
  machine.check_status = 10;
  machine.root.write("proc/sys/kernel/printk_devkmsg", "off\n");
  const Result<void> armed = arm_rehearsal(machine.context());
  ASSERT_FALSE(armed);
  EXPECT_THAT(armed.error().message,
              AllOf(HasSubstr("nothing is going to happen"), HasSubstr("the image is stale"),
                    HasSubstr("printk.devkmsg=off")));
  EXPECT_FALSE(exists("var/lib/kdump/rehearsal.json"));
  shut_down("reboot");
  EXPECT_FALSE(crashed());
}

TEST_F(Rehearse, ARefusalTakesBackTheOneBefore) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  machine.check_status = 10;
  const Result<void> armed = arm_rehearsal(machine.context());
  ASSERT_FALSE(armed);
  EXPECT_THAT(armed.error().message, HasSubstr("not armed, nothing is going to happen"));
  EXPECT_THAT(machine.runner.calls, testing::Contains(ElementsAre("/usr/sbin/systemctl", "stop",
                                                                  "kdump-tools-rehearse.service")));
  EXPECT_EQ(text(), "none");
  machine.check_status = 0;
  shut_down("reboot");
  EXPECT_FALSE(crashed());
}

// The record says so as long as nobody arms the next.
TEST_F(Rehearse, ARefusalLeavesAnEarlierResult) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  shut_down("poweroff");
  boot(kSecondBoot);
  machine.check_status = 10;
  EXPECT_FALSE(arm_rehearsal(machine.context()));
  EXPECT_THAT(text(), HasSubstr("has shown nothing"));
}

TEST_F(Rehearse, IsRefusedWhereTheImageDoesNotFit) {
  machine.root.write(std::string("var/lib/kdump/initrd.img-") + kRunning + ".manifest",
                     R"({"needed": 135266304})");
  const Result<void> armed = arm_rehearsal(machine.context());
  ASSERT_FALSE(armed);
  EXPECT_THAT(armed.error().message, HasSubstr("the image does not fit"));
}

TEST_F(Rehearse, WithoutItsUnitNothingIsArmed) {
  machine.runner.programs["systemctl"] = [](const auto&) {
    return ProgramOutcome{5, "Unit kdump-tools-rehearse.service not found.\n"};
  };
  const Result<void> armed = arm_rehearsal(machine.context());
  ASSERT_FALSE(armed);
  EXPECT_THAT(armed.error().message, HasSubstr("not found"));
  EXPECT_EQ(text(), "none");
}

TEST_F(Rehearse, NothingHappensWhenTheImageIsGone) {
  ASSERT_TRUE(arm_rehearsal(machine.context()));
  std::filesystem::remove(machine.root.path(std::string("var/lib/kdump/initrd.img-") + kRunning));
  shut_down("reboot");
  EXPECT_FALSE(crashed());
  EXPECT_THAT(text(), HasSubstr("has shown nothing: no kernel with an image"));
}

TEST_F(Rehearse, IsRefusedWhereNothingIsLoaded) {
  machine.set_loaded(false);
  EXPECT_FALSE(arm_rehearsal(machine.context()));
}

TEST_F(Rehearse, ADamagedRecordIsNone) {
  machine.root.write("var/lib/kdump/rehearsal.json", "garbage");
  EXPECT_EQ(text(), "none");
  shut_down("reboot");
  EXPECT_FALSE(crashed());
  boot(kSecondBoot);
}

}  // namespace
}  // namespace kd
