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
      policy = read_all(confdir + "/conf.d/zzzzzz-kdump");
      modules = read_all(confdir + "/modules");
      if (!image.empty()) std::ofstream(argv.at(4)) << image;
      return ProgramOutcome{status, "mkinitramfs: words\n"};
    };
  }
  static std::string read_all(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Result<void> build() { return build_image(machine.context(), machine.state().config, kRunning); }
  [[nodiscard]] std::string image() const {
    return machine.root.read(std::string("var/lib/kdump/initrd.img-") + kRunning);
  }
  FakeMachine machine;
  // Of the last run of mkinitramfs.
  std::string confdir, policy, modules;
};

TEST_F(Image, IsBuiltByTheSiblingProgram) {
  ASSERT_TRUE(build().has_value());
  EXPECT_THAT(machine.runner.calls,
              ElementsAre(ElementsAre("/usr/sbin/kdump-mkinitrd", "-q", kRunning)));
}

TEST_F(Image, RecordedMachineIsPassedOn) {
  ASSERT_TRUE(kd::build(machine.context(),
                        {.installed = kRunning, .removed = {}, .facts = "/etc/kdump/machine.json"})
                  .has_value());
  EXPECT_THAT(machine.runner.calls[0],
              ElementsAre("/usr/sbin/kdump-mkinitrd", "--facts", "/etc/kdump/machine.json",
                          "--sysroot", "/", kRunning));
}

TEST_F(Image, CalibrationIsLeftToTheSiblingProgramWithItsExitCode) {
  EXPECT_EQ(calibrate(machine.context(), kRunning).value(), 0);
  EXPECT_THAT(machine.runner.calls,
              ElementsAre(ElementsAre("/usr/sbin/kdump-mkinitrd", "--calibrate", kRunning)));
  machine.build_status = 7;
  EXPECT_EQ(calibrate(machine.context(), kRunning).value(), 1) << "QEMU is missing";
  machine.build_status = 5;
  EXPECT_EQ(calibrate(machine.context(), kRunning).value(), 5);
  EXPECT_EQ(calibrate(machine.context(), "../6.1").error().kind, ErrorKind::kUsage);
}

TEST_F(Image, UnsupportedTargetIsBuiltWithMkinitramfs) {
  machine.build_status = 3;
  install_mkinitramfs(0);
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(image(), "from mkinitramfs");
  EXPECT_THAT(machine.said, HasSubstr("kdump-mkinitrd: no way"));
  EXPECT_THAT(machine.said, HasSubstr("boots the real root"));
  EXPECT_EQ(policy, "MODULES=dep\n");
  EXPECT_EQ(modules, "mine\n\nscsi_dh_alua\n");
  EXPECT_FALSE(std::filesystem::exists(confdir)) << "gone with the run";
  EXPECT_EQ(machine.root.read("etc/initramfs-tools/modules"), "mine\n") << "a private copy";
  EXPECT_FALSE(is_direct_image(machine.reader(), kRunning));
  EXPECT_THAT(machine.root.names(), Not(IsEmpty()));
}

TEST_F(Image, SmallModulePoliciesStay) {
  machine.root.write("etc/initramfs-tools/initramfs.conf", "MODULES=list\n");
  machine.build_status = 3;
  install_mkinitramfs(0);
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(policy, "");
}

TEST_F(Image, NothingIsWrittenThroughLinksOfTheConfiguration) {
  machine.build_status = 3;
  install_mkinitramfs(0);
  machine.root.write("etc/site/modules", "theirs\n");
  machine.root.write("etc/site/hooks/kdump-sysctl", "#!/bin/sh\n");
  machine.root.write("etc/site/conf.d/site", "RESUME=none\n");
  for (const char* name : {"modules", "hooks", "conf.d"}) {
    const std::string path = machine.root.path(std::string("etc/initramfs-tools/") + name);
    std::filesystem::remove_all(path);
    std::filesystem::create_symlink(std::string("../site/") + name, path);
  }
  std::filesystem::create_symlink("nowhere", machine.root.path("etc/initramfs-tools/broken"));
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(modules, "theirs\n\nscsi_dh_alua\n");
  EXPECT_EQ(machine.root.read("etc/site/modules"), "theirs\n");
  EXPECT_EQ(machine.root.read("etc/site/hooks/kdump-sysctl"), "#!/bin/sh\n");
  EXPECT_FALSE(std::filesystem::exists(machine.root.path("etc/site/conf.d/zzzzzz-kdump")));
}

TEST_F(Image, LinkToItsOwnDirectoryEndsWithAnError) {
  machine.build_status = 3;
  install_mkinitramfs(0);
  std::filesystem::create_directory(machine.root.path("etc/initramfs-tools/scripts"));
  std::filesystem::create_symlink(".", machine.root.path("etc/initramfs-tools/scripts/again"));
  EXPECT_THAT(build().error().message, HasSubstr("own directory"));
  EXPECT_EQ(image(), "");
}

TEST_F(Image, RunsHaveDirectoriesOfTheirOwnAndRemoveWhatAKilledOneLeft) {
  machine.build_status = 3;
  machine.root.write("var/lib/kdump/initramfs-tools.killed/conf/modules", "x\n");
  std::string other;
  install_mkinitramfs(0);
  machine.runner.programs["mkinitramfs"] = [&](const std::vector<std::string>& argv) {
    if (confdir.empty()) {
      confdir = argv.at(2);
      other = machine.root.read(confdir.substr(machine.root.path().size() + 1) + "/modules");
      EXPECT_TRUE(build().has_value()) << "a second run beside the first";
      EXPECT_TRUE(std::filesystem::exists(confdir + "/modules")) << "leaves the first its files";
    } else {
      EXPECT_NE(argv.at(2), confdir);
      EXPECT_NE(argv.at(4), confdir);
    }
    std::ofstream(argv.at(4)) << "image";
    return ProgramOutcome{0, ""};
  };
  ASSERT_TRUE(build().has_value());
  EXPECT_EQ(other, "mine\n\nscsi_dh_alua\n");
  EXPECT_FALSE(std::filesystem::exists(machine.root.path("var/lib/kdump/initramfs-tools.killed")));
  EXPECT_EQ(image(), "image");
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
  machine.root.write("etc/initramfs-tools/modules", "other\n");
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
    EXPECT_EQ(std::ranges::distance(
                  std::filesystem::directory_iterator(machine.root.path("var/lib/kdump"))),
              2);
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
  EXPECT_FALSE(
      kd::build(machine.context(), {.installed = kRunning, .removed = {}, .facts = "/m.json"})
          .has_value());
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

TEST_F(Image, OfMkinitramfsIsStaleByWhatItWasMadeOf) {
  machine.build_status = machine.check_status = 3;
  install_mkinitramfs(0);
  const auto state = [&] { return check_image(machine.context(), kRunning).state; };
  for (const char* path :
       {"etc/initramfs-tools/conf.d/x", "etc/initramfs-tools/hooks/x",
        "etc/initramfs-tools/scripts/init-top/x", "usr/share/initramfs-tools/hooks/x",
        "etc/crypttab", "etc/mdadm/mdadm.conf", "etc/lvm/lvm.conf", "etc/multipath.conf",
        "etc/multipath/wwids", "etc/fstab", "etc/modprobe.d/x.conf"}) {
    ASSERT_TRUE(build().has_value());
    EXPECT_EQ(state(), State::kFresh) << path;
    machine.root.write(path, "text\n");
    EXPECT_EQ(state(), State::kStale) << path;
    // An older file than the image, as cp -p and a restored backup leave one.
    std::filesystem::last_write_time(machine.root.path(path), std::filesystem::file_time_type());
    const Freshness stale = check_image(machine.context(), kRunning);
    EXPECT_THAT(stale.reasons, Contains(HasSubstr(path))) << path;
    ASSERT_TRUE(build().has_value());
    std::filesystem::remove(machine.root.path(path));
    EXPECT_EQ(state(), State::kStale) << path << " is gone";
  }
}

TEST_F(Image, OfMkinitramfsWithoutARecordIsStale) {
  machine.add_image(kRunning, false);
  machine.check_status = 3;
  const Freshness stale = check_image(machine.context(), kRunning);
  EXPECT_EQ(stale.state, State::kStale);
  EXPECT_THAT(stale.reasons, Contains(HasSubstr(".inputs")));
}

TEST_F(Image, MachineThatCouldNotBeReadKeepsTheDirectImage) {
  machine.add_image(kRunning);
  install_mkinitramfs(0);
  machine.build_status = 1;
  EXPECT_FALSE(build().has_value());
  EXPECT_EQ(confdir, "");
  EXPECT_TRUE(is_direct_image(machine.reader(), kRunning));
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
