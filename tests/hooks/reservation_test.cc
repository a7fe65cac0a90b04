// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/reservation.h"

#include <fstream>

#include "builder/base/runner.h"
#include "hooks/estimate.h"
#include "hooks/load.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = kMiB << 10;

TEST(ReservedBy, ReadsWhatTheKernelReads) {
  EXPECT_EQ(reserved_by("128M", kGiB), 128 * kMiB);
  EXPECT_EQ(reserved_by("1g", kGiB), kGiB);
  EXPECT_EQ(reserved_by("131072K@16M", kGiB), 128 * kMiB);
  EXPECT_EQ(reserved_by("256M,high", kGiB), 256 * kMiB);
  EXPECT_EQ(reserved_by("384M-:128M", kGiB), 128 * kMiB);
  EXPECT_EQ(reserved_by("384M-:128M", 256 * kMiB), 0U);
  constexpr const char* kUbuntu = "2G-4G:320M,4G-32G:512M,32G-64G:1024M,64G-128G:2048M,128G-:4096M";
  EXPECT_EQ(reserved_by(kUbuntu, kGiB), 0U);
  EXPECT_EQ(reserved_by(kUbuntu, 4 * kGiB), 512 * kMiB);
  EXPECT_EQ(reserved_by(kUbuntu, 2 * kGiB - 336 * 1024), 320 * kMiB) << "firmware took the rest";
  EXPECT_EQ(reserved_by("1G,high crashkernel=256M,low", kGiB), kGiB + 256 * kMiB);
  EXPECT_EQ(reserved_by("384M-2G:64M,2G-:128M@16M", 4 * kGiB), 128 * kMiB);
  EXPECT_EQ(reserved_by(kUbuntu, 1024 * kGiB), 4096 * kMiB);
  for (const char* text : {"", "auto", "-", "512M-", "512M-:", "512M-x:1M", "1M-2M", "99999999999G",
                           "99999999999999999999999M", "512M,", "512M,hig", "512M quiet", "512M@",
                           "384M-:128M,", "512M crashkernel="}) {
    EXPECT_FALSE(reserved_by(text, kGiB).has_value()) << text;
  }
}

TEST(Recommended, IsMoreThanIsNeededAndNeverLittleForTheRealRoot) {
  EXPECT_EQ(recommended_reservation({.bytes = 71 * kMiB}), 96 * kMiB);
  EXPECT_EQ(recommended_reservation({.bytes = 91 * kMiB}), 104 * kMiB);
  EXPECT_EQ(recommended_reservation({.bytes = 115 * kMiB, .real_root = true}), 192 * kMiB);
  EXPECT_EQ(recommended_reservation({.bytes = 250 * kMiB, .real_root = true}), 288 * kMiB);
}

class WantedReservation : public testing::Test {
 protected:
  std::string want(std::uint64_t mebibytes, bool real_root = false) {
    return want_reservation(machine.context(), {mebibytes * kMiB, real_root}, 4 * kGiB).value();
  }
  FakeMachine machine;
};

TEST_F(WantedReservation, GrowsWithTheTarget) {
  EXPECT_EQ(want(71), "512M-:96M");
  EXPECT_EQ(machine.wanted(), "512M-:96M\n");
  EXPECT_EQ(want(139, true), "512M-:192M");
  EXPECT_EQ(machine.wanted(), "512M-:192M\n");
}

TEST_F(WantedReservation, IsNeverLowered) {
  machine.root.write("var/lib/kdump/crashkernel", "384M-:128M\n");
  EXPECT_EQ(want(71), "384M-:128M") << "of kdump-tools";
  EXPECT_EQ(want(139, true), "512M-:192M");
  EXPECT_EQ(want(71), "512M-:192M");
}

TEST_F(WantedReservation, OfAMachineThatHasLessThanItsModulesSayIsNotLowered) {
  const std::string ubuntu = "2G-4G:320M,4G-32G:512M\n";
  machine.root.write("var/lib/kdump/crashkernel", ubuntu);
  EXPECT_TRUE(want_reservation(machine.context(), {71 * kMiB}, 2147085312).has_value());
  EXPECT_EQ(machine.wanted(), ubuntu);
}

TEST_F(WantedReservation, NothingElseIsTakenFromItsFile) {
  for (const char* text : {"", "\n", "999M quiet\n", "$(id)\n", "999M;id\n", "-\n"}) {
    machine.root.write("var/lib/kdump/crashkernel", text);
    EXPECT_EQ(want(71), "512M-:96M") << text;
  }
  machine.root.write("var/lib/kdump/crashkernel", std::string(300, '9') + "\n");
  EXPECT_EQ(want(71), "512M-:96M");
}

TEST_F(WantedReservation, LoadKeepsWhatAnLvmMachineNeedsAndSaysWhatToDo) {
  machine.build_status = 3;
  machine.root_needs = 139 * kMiB;
  machine.reserve(96);
  machine.root.write("etc/initramfs-tools/initramfs.conf", "MODULES=dep\n");
  machine.runner.programs["mkinitramfs"] = [this](const auto&) {
    machine.add_image(kRunning, false);
    return ProgramOutcome{1, "it is there already\n"};
  };
  machine.add_image(kRunning, false);
  ASSERT_TRUE(load(machine.context()).has_value());
  EXPECT_EQ(machine.wanted(), "512M-:192M\n");
  EXPECT_THAT(machine.said, HasSubstr("the image needs 139M and 96M are reserved: update-grub sets "
                                      "crashkernel=512M-:192M, run it and reboot"));
}

TEST_F(WantedReservation, EstimateKnowsTheImageOfMkinitramfs) {
  machine.build_status = 3;
  machine.runner.programs["mkinitramfs"] = [](const auto&) { return ProgramOutcome{0, ""}; };
  const std::string before = estimate(machine.context(), false).value();
  EXPECT_TRUE(before.starts_with("crashkernel=192M\n")) << before;
  EXPECT_THAT(before, HasSubstr("no way"));
  EXPECT_EQ(machine.wanted(), "") << "nobody asked for it";
  machine.add_image(kRunning, false);
  machine.root_needs = 200 * kMiB;
  const std::string after = estimate(machine.context(), true).value();
  EXPECT_TRUE(after.starts_with("crashkernel=232M\n")) << after;
  EXPECT_THAT(after, HasSubstr("200M is needed"));
  EXPECT_EQ(machine.wanted(), "512M-:232M\n");
}

TEST_F(WantedReservation, EstimateRefusesWhatNobodyCanSave) {
  machine.build_status = 3;
  EXPECT_EQ(estimate(machine.context(), true).error().kind, ErrorKind::kTargetNotSupported);
  EXPECT_EQ(machine.wanted(), "");
}

// A script of this tree with `paths` below `root`.
std::string moved(const std::string& script, const std::vector<std::string>& paths,
                  const TemporaryDirectory& root) {
  std::ifstream file(std::string(KD_SOURCE_DIR) + "/" + script);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const std::string& path : paths) {
    const std::string new_path = root.path() + path;
    for (std::size_t at = text.find(path); at != std::string::npos;
         at = text.find(path, at + new_path.size())) {
      text.replace(at, path.size(), new_path);
    }
  }
  return text;
}

// The snippet as grub-mkconfig(8) sources it: by a shell that ends at the first error.
class GrubSnippet : public testing::Test {
 protected:
  GrubSnippet() {
    root.write("snippet", moved("hooks/kdump-tools.cfg", {"/var/lib/kdump/", "/usr/sbin/"}, root));
    root.write("usr/sbin/kdump-config", "");
    std::filesystem::permissions(root.path("usr/sbin/kdump-config"), std::filesystem::perms(0755));
  }
  // GRUB_CMDLINE_LINUX_DEFAULT after `before` and the snippet.
  std::string after(const std::string& before) {
    SystemRunner runner;
    const auto outcome = runner.run({"/bin/sh", "-e", "-c",
                                     before + "\n. " + root.path("snippet") +
                                         "\nprintf '<%s>' \"$GRUB_CMDLINE_LINUX_DEFAULT\""});
    EXPECT_TRUE(outcome && outcome->status == 0) << (outcome ? outcome->output : "");
    return outcome ? outcome->output : "";
  }
  void want(const std::string& text) const { root.write("var/lib/kdump/crashkernel", text); }

  TemporaryDirectory root;
};

TEST_F(GrubSnippet, ReservesEnoughForEveryImageUntilOneIsKnown) {
  EXPECT_EQ(after("GRUB_CMDLINE_LINUX_DEFAULT=quiet"), "<quiet crashkernel=512M-:192M>");
  EXPECT_EQ(after("unset GRUB_CMDLINE_LINUX_DEFAULT"), "< crashkernel=512M-:192M>");
}

TEST_F(GrubSnippet, TakesWhatTheTargetNeeds) {
  want("512M-:96M\n");
  EXPECT_EQ(after("GRUB_CMDLINE_LINUX_DEFAULT=quiet"), "<quiet crashkernel=512M-:96M>");
  want("384M-:128M");
  EXPECT_EQ(after("GRUB_CMDLINE_LINUX_DEFAULT=quiet"), "<quiet crashkernel=384M-:128M>")
      << "without a newline";
}

TEST_F(GrubSnippet, TakesMemoryAbove4GiBWithItsSecondParameter) {
  want("1G,high crashkernel=256M,low\n");
  EXPECT_EQ(after("GRUB_CMDLINE_LINUX_DEFAULT=quiet"),
            "<quiet crashkernel=1G,high crashkernel=256M,low>");
}

TEST_F(GrubSnippet, LeavesTheAdministratorsReservationAlone) {
  want("512M-:96M\n");
  for (const char* set :
       {"GRUB_CMDLINE_LINUX=crashkernel=512M", "GRUB_CMDLINE_LINUX='ro crashkernel=1G,high'",
        "GRUB_CMDLINE_LINUX_DEFAULT='quiet crashkernel=512M'"}) {
    EXPECT_THAT(after(set), Not(HasSubstr("96M"))) << set;
  }
  EXPECT_EQ(after("GRUB_CMDLINE_LINUX=nocrashkernel=1"), "< crashkernel=512M-:96M>");
}

TEST_F(GrubSnippet, ItsFileIsData) {
  for (const char* text :
       {"1M$(touch evaluated)\n", "1M quiet\n", "\"; touch evaluated; \"\n", "\n"}) {
    want(text);
    EXPECT_EQ(after("GRUB_CMDLINE_LINUX_DEFAULT=quiet"), "<quiet crashkernel=512M-:192M>") << text;
  }
  EXPECT_FALSE(std::filesystem::exists("evaluated"));
}

// What dpkg runs before it replaces the snippet of kdump-tools.
class Preinst : public testing::Test {
 protected:
  std::string kept_of(const std::string& snippet) {
    root.write("preinst",
               moved("debian/kdump-mkinitrd.preinst", {"/var/lib/kdump", "/etc/default"}, root));
    root.write("etc/default/grub.d/kdump-tools.cfg", snippet);
    std::filesystem::remove(root.path("var/lib/kdump/crashkernel"));
    SystemRunner runner;
    const auto outcome = runner.run({"/bin/sh", root.path("preinst"), "install"});
    EXPECT_TRUE(outcome && outcome->status == 0) << (outcome ? outcome->output : "");
    return root.read("var/lib/kdump/crashkernel");
  }
  TemporaryDirectory root;
};

TEST_F(Preinst, KeepsTheWholeReservationOfKdumpTools) {
  const std::string set = "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT ";
  EXPECT_EQ(kept_of(set + "crashkernel=384M-:128M\"\n"), "384M-:128M\n");
  EXPECT_EQ(kept_of(set + "crashkernel=512M,high\"\n"), "512M,high\n");
  EXPECT_EQ(kept_of("# old\n" + set + "crashkernel=1G,high crashkernel=256M,low quiet\"\n"),
            "1G,high crashkernel=256M,low\n");
}

TEST_F(Preinst, KeepsNothingElse) {
  EXPECT_EQ(kept_of("GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"), "");
  EXPECT_EQ(kept_of("GRUB_CMDLINE_LINUX_DEFAULT=\"crashkernel=$(size)\"\n"), "");
  EXPECT_EQ(kept_of("# crashkernel=512M\n"), "");
}

TEST_F(GrubSnippet, DoesNothingOnceThePackageIsRemoved) {
  std::filesystem::remove(root.path("usr/sbin/kdump-config"));
  EXPECT_EQ(after("GRUB_CMDLINE_LINUX_DEFAULT=quiet"), "<quiet>");
}

}  // namespace
}  // namespace kd
