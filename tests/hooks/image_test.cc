// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/image.h"

#include "hooks/load.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using State = Freshness::State;

class Image : public testing::Test {
 protected:
  Image() {
    machine.root.write("etc/initramfs-tools/initramfs.conf", "MODULES=most\n");
    machine.root.write("etc/initramfs-tools/modules", "mine\n");
    machine.root.write("proc/modules", "scsi_dh_alua 20480 1 - Live 0x0\next4 1 0 - Live 0x0\n");
  }
  void install_mkinitramfs(int status, const std::string& image = "from mkinitramfs") {
    machine.runner.programs["mkinitramfs"] = [=, this](const std::vector<std::string>& argv) {
      confdir = argv.at(2);
      if (!image.empty()) std::ofstream(argv.at(4)) << image;
      return ProgramOutcome{status, "mkinitramfs: words\n"};
    };
  }
  Result<void> build() { return build_image(machine.context(), machine.state().config, kRunning); }
  [[nodiscard]] std::string image() const {
    return machine.root.read(std::string("var/lib/kdump/initrd.img-") + kRunning);
  }
  FakeMachine machine;
  std::string confdir;
};

TEST_F(Image, IsBuiltByTheSiblingProgram) {
  ASSERT_TRUE(build().has_value());
  EXPECT_THAT(machine.runner.calls,
              ElementsAre(ElementsAre("/usr/sbin/kdump-mkinitrd", "-q", kRunning)));
}

TEST_F(Image, RecordedMachineIsPassedOn) {
  ASSERT_TRUE(kd::build(machine.context(), kRunning, "/etc/kdump/machine.json").has_value());
  EXPECT_THAT(machine.runner.calls[0], ElementsAre("/usr/sbin/kdump-mkinitrd", "--facts",
                                                   "/etc/kdump/machine.json", kRunning));
}

TEST_F(Image, UnsupportedTargetIsBuiltWithMkinitramfs) {
  machine.build_status = 3;
  install_mkinitramfs(0);
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(image(), "from mkinitramfs");
  EXPECT_THAT(machine.said, HasSubstr("kdump-mkinitrd: no way"));
  EXPECT_THAT(machine.said, HasSubstr("boots the real root"));
  EXPECT_EQ(confdir, machine.root.path("var/lib/kdump/initramfs-tools"));
  EXPECT_EQ(machine.root.read("var/lib/kdump/initramfs-tools/conf.d/zzz-kdump"), "MODULES=dep\n");
  EXPECT_EQ(machine.root.read("var/lib/kdump/initramfs-tools/modules"), "mine\n\nscsi_dh_alua\n");
  EXPECT_EQ(machine.root.read("etc/initramfs-tools/modules"), "mine\n") << "a private copy";
  EXPECT_FALSE(is_direct_image(machine.reader(), kRunning));
  EXPECT_THAT(machine.root.names(), Not(IsEmpty()));
}

TEST_F(Image, SmallModulePoliciesStay) {
  machine.root.write("etc/initramfs-tools/initramfs.conf", "MODULES=list\n");
  machine.build_status = 3;
  install_mkinitramfs(0);
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(machine.root.read("var/lib/kdump/initramfs-tools/conf.d/zzz-kdump"), "");
}

TEST_F(Image, OfMkinitramfsTakesTheManifestOfAnOlderOneAway) {
  machine.add_image(kRunning);
  machine.build_status = 3;
  install_mkinitramfs(0);
  ASSERT_TRUE(build().has_value());
  EXPECT_FALSE(is_direct_image(machine.reader(), kRunning));
}

TEST_F(Image, FreshOneOfMkinitramfsIsKept) {
  machine.build_status = 3;
  install_mkinitramfs(0);
  ASSERT_TRUE(build().has_value());
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(std::ranges::count(machine.runner.names_called(), "mkinitramfs"), 1);
  std::filesystem::last_write_time(
      machine.root.path("etc/initramfs-tools/modules"),
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(std::ranges::count(machine.runner.names_called(), "mkinitramfs"), 2);
}

TEST_F(Image, FailedMkinitramfsKeepsTheOldOne) {
  machine.add_image(kRunning);
  machine.build_status = 3;
  for (const auto& [status, text] :
       std::vector<std::pair<int, std::string>>{{1, "torn"}, {0, ""}}) {
    install_mkinitramfs(status, text);
    EXPECT_FALSE(build().has_value());
    EXPECT_EQ(image(), std::string("image ") + kRunning);
    EXPECT_TRUE(is_direct_image(machine.reader(), kRunning));
    EXPECT_EQ(machine.root.read(std::string("var/lib/kdump/initrd.img-") + kRunning + ".new"), "");
  }
}

TEST_F(Image, UnsupportedTargetWithoutMkinitramfsSaysBoth) {
  machine.build_status = 3;
  const Result<void> result = build();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::kTargetNotSupported);
  EXPECT_THAT(result.error().message, HasSubstr("no way"));
  EXPECT_THAT(result.error().message, HasSubstr("initramfs-tools-core"));
}

TEST_F(Image, ForARecordedMachineMkinitramfsIsNoWay) {
  machine.build_status = 3;
  install_mkinitramfs(0);
  EXPECT_FALSE(kd::build(machine.context(), kRunning, "/m.json").has_value());
  EXPECT_EQ(confdir, "");
}

TEST_F(Image, OtherFailuresDoNotTurnToMkinitramfs) {
  install_mkinitramfs(0);
  for (const int status : {1, 2, 4, 5}) {
    machine.build_status = status;
    EXPECT_FALSE(build().has_value());
  }
  EXPECT_EQ(confdir, "");
}

TEST_F(Image, CaptureInTheRealRootIsBuiltTheSameWay) {
  machine.configure("KDUMP_CAPTURE=rootfs\n");
  install_mkinitramfs(0);
  ASSERT_TRUE(build().has_value());
  EXPECT_THAT(machine.runner.names_called(), ElementsAre("kdump-mkinitrd"));
}

TEST_F(Image, MissingBuilderIsNamed) {
  machine.runner.programs.erase("kdump-mkinitrd");
  EXPECT_THAT(build().error().message, HasSubstr("kdump-mkinitrd is missing"));
}

TEST_F(Image, CheckKnowsFreshStaleAndUnknown) {
  const KdumpConfig config = machine.state().config;
  EXPECT_EQ(check_image(machine.context(), kRunning).state, State::kStale);
  machine.add_image(kRunning);
  EXPECT_EQ(check_image(machine.context(), kRunning).state, State::kFresh);
  machine.check_status = 10;
  const Freshness stale = check_image(machine.context(), kRunning);
  EXPECT_EQ(stale.state, State::kStale);
  EXPECT_THAT(stale.reasons, ElementsAre("why"));
  machine.check_status = 1;
  EXPECT_EQ(check_image(machine.context(), kRunning).state, State::kUnknown);
}

TEST_F(Image, CheckOfMkinitramfsLooksAtTimes) {
  machine.add_image(kRunning, false);
  machine.check_status = 3;
  const KdumpConfig config = machine.state().config;
  std::filesystem::last_write_time(
      machine.root.path("etc/initramfs-tools/modules"),
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  const Freshness stale = check_image(machine.context(), kRunning);
  EXPECT_EQ(stale.state, State::kStale);
  EXPECT_THAT(stale.reasons, Contains(HasSubstr("/etc/initramfs-tools/modules")));
}

TEST_F(Image, TryBuildBuildsNothing) {
  const KdumpConfig config = machine.state().config;
  EXPECT_TRUE(try_build(machine.context(), kRunning).has_value());
  machine.build_status = 3;
  EXPECT_EQ(try_build(machine.context(), kRunning).error().kind, ErrorKind::kTargetNotSupported);
  install_mkinitramfs(0);
  EXPECT_TRUE(try_build(machine.context(), kRunning).has_value());
  EXPECT_EQ(image(), "");
  EXPECT_EQ(confdir, "");
}

}  // namespace
}  // namespace kd
