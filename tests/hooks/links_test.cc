// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/links.h"

#include "hooks/load.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::HasSubstr;

class Links : public testing::Test {
 protected:
  Links() { machine.add_image(kRunning); }
  LinkState state_of(const std::string& name) {
    for (const CheckedLink& link : check_links(machine.reader(), {}, kRunning)) {
      if (link.path == "/var/lib/kdump/" + name) return link.state;
    }
    ADD_FAILURE() << name << " is not looked at";
    return LinkState::kInTheWay;
  }
  FakeMachine machine;
};

TEST_F(Links, RightOnesAreRight) {
  machine.right_links();
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kRight);
  EXPECT_EQ(state_of("initrd.img"), LinkState::kRight);
}

TEST_F(Links, RelativeOnesAreRightToo) {
  machine.link("initrd.img", std::string("initrd.img-") + kRunning);
  machine.link("vmlinuz", std::string("../../../boot/vmlinuz-") + kRunning);
  EXPECT_EQ(state_of("initrd.img"), LinkState::kRight);
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kRight);
}

TEST_F(Links, LinksOverLinksCountByTheirEnd) {
  std::filesystem::create_symlink(std::string("vmlinuz-") + kRunning, machine.root.path("boot/k"));
  machine.link("vmlinuz", "/boot/k");
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kRight);
}

TEST_F(Links, NothingIsMissing) {
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kMissing);
  std::filesystem::remove_all(machine.root.path("var/lib/kdump"));
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kMissing);
}

TEST_F(Links, DanglingIsBroken) {
  machine.link("vmlinuz", "/boot/vmlinuz-5.10.0-1-amd64");
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kBroken);
}

TEST_F(Links, OfAnotherVersionIsWrong) {
  machine.install_kernel("6.1.0-55-amd64");
  machine.link("vmlinuz", "/boot/vmlinuz-6.1.0-55-amd64");
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kWrong);
}

TEST_F(Links, AVersionThatIsPartOfAnotherIsWrong) {
  for (const char* other : {"6.1.0-5", "6.1.0-56-amd64-x", "16.1.0-56-amd64"}) {
    machine.install_kernel(other);
    machine.add_image(other);
    machine.right_links(other);
    EXPECT_EQ(state_of("vmlinuz"), LinkState::kWrong) << other;
    EXPECT_EQ(state_of("initrd.img"), LinkState::kWrong) << other;
  }
}

TEST_F(Links, DirectoryAndFileAreInTheWay) {
  machine.root.write("var/lib/kdump/vmlinuz", "file");
  std::filesystem::create_directory(machine.root.path("var/lib/kdump/initrd.img"));
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kInTheWay);
  EXPECT_EQ(state_of("initrd.img"), LinkState::kInTheWay);
  for (const CheckedLink& link : check_links(machine.reader(), {}, kRunning)) {
    EXPECT_THAT(explain_link(link.state, link.link, link.wanted), HasSubstr("move it away"));
  }
}

TEST_F(Links, BothKernelFilesAreRightAndTheCompressedOneIsTaken) {
  machine.root.write(std::string("boot/vmlinux-") + kRunning,
                     "\x7f"
                     "ELF");
  machine.link("vmlinuz", std::string("/boot/vmlinux-") + kRunning);
  EXPECT_EQ(state_of("vmlinuz"), LinkState::kRight) << "somebody's choice";
  machine.link("vmlinuz", "/nowhere");
  EXPECT_EQ(check_links(machine.reader(), {}, kRunning)[1].wanted,
            std::string("/boot/vmlinuz-") + kRunning);
}

TEST_F(Links, KernelMayLieWithItsModules) {
  machine.root.write("usr/lib/modules/7.0.1/vmlinuz", "kernel");
  EXPECT_EQ(check_links(machine.reader(), {}, "7.0.1")[1].wanted, "/usr/lib/modules/7.0.1/vmlinuz");
}

TEST_F(Links, ConfiguredFilesNeedNoLinks) {
  KdumpConfig config;
  config.kernel = "/boot/special";
  config.initrd = "/boot/special.img";
  EXPECT_TRUE(check_links(machine.reader(), config, kRunning).empty());
  config.kernel = kKernelLink;
  config.initrd = kInitrdLink;
  EXPECT_EQ(check_links(machine.reader(), config, kRunning).size(), 2U);
}

TEST_F(Links, ReplacementLeavesNothingElse) {
  machine.link("vmlinuz", "/nowhere");
  machine.link(".vmlinuz.new", "/left/by/a/killed/predecessor");
  ASSERT_TRUE(replace_link(machine.reader(), kKernelLink, "/boot/other").has_value());
  EXPECT_EQ(machine.link_text("vmlinuz"), "/boot/other");
  EXPECT_FALSE(std::filesystem::is_symlink(machine.root.path("var/lib/kdump/.vmlinuz.new")));
}

TEST_F(Links, FailedReplacementKeepsTheOldOne) {
  machine.link("vmlinuz", "/boot/old");
  const ReadOnly read_only(machine, "var/lib/kdump");
  const Result<void> replaced = replace_link(machine.reader(), kKernelLink, "/boot/new");
  ASSERT_FALSE(replaced.has_value());
  EXPECT_THAT(replaced.error().message, HasSubstr("/var/lib/kdump/vmlinuz"));
  EXPECT_EQ(machine.link_text("vmlinuz"), "/boot/old");
}

}  // namespace
}  // namespace kd
