// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/status.h"

#include <nlohmann/json.hpp>

#include "hooks/encrypted_root.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class Status : public testing::Test {
 protected:
  // As after a load.
  void make_ready() {
    ASSERT_TRUE(load(machine.context()).has_value());
    machine.said.clear();
  }
  StatusFacts facts(PlanFor purpose = PlanFor::kLoad) {
    return *gather_status(machine.context(), purpose);
  }
  FakeMachine machine;
};

TEST_F(Status, Ready) {
  make_ready();
  EXPECT_EQ(status_text(facts()), "current state   : ready to kdump\n");
  EXPECT_EQ(assess(facts()).code, 0);
}

TEST_F(Status, NotLoaded) {
  const StatusFacts now = facts();
  EXPECT_THAT(status_text(now), StartsWith("current state   : Not ready to kdump\n"));
  EXPECT_THAT(status_text(now), HasSubstr("kdump-config load"));
  EXPECT_EQ(assess(now).code, 1);
}

TEST_F(Status, SaysEveryReason) {
  machine.root.write("etc/default/kdump-tools", "USE_KDUMP=0\nSSH=a@b\n");
  machine.root.write("proc/cmdline", "ro\n");
  const Assessment now = assess(facts());
  EXPECT_EQ(now.code, 1);
  EXPECT_THAT(now.reasons, Contains(HasSubstr("USE_KDUMP is not set or zero")));
  EXPECT_THAT(now.reasons, Contains(HasSubstr("no crashkernel= parameter in the kernel cmdline")));
  EXPECT_THAT(now.reasons, Contains(HasSubstr("SSH=\"a@b\"")));
  EXPECT_THAT(now.reasons, Contains(HasSubstr("Invalid symlink : /var/lib/kdump/vmlinuz")));
}

TEST_F(Status, StaleImageIsReadyWithAReason) {
  make_ready();
  machine.check_status = 10;
  EXPECT_THAT(status_text(facts()), StartsWith("current state   : ready to kdump\n"));
  EXPECT_THAT(assess(facts()).reasons, ElementsAre(HasSubstr("stale")));
  EXPECT_EQ(assess(facts()).code, 2);
}

TEST_F(Status, ImageThatCannotBeCheckedIsReadyWithAReason) {
  make_ready();
  machine.runner.programs["kdump-mkinitrd"] = [](const auto&) {
    return ProgramOutcome{1, "kdump-mkinitrd: /proc/self/mountinfo: Permission denied\n"};
  };
  const StatusFacts now = facts();
  const auto why = AllOf(HasSubstr("cannot tell whether the image is fresh: "),
                         HasSubstr("/proc/self/mountinfo: Permission denied"));
  EXPECT_THAT(assess(now).reasons, ElementsAre(why));
  EXPECT_EQ(assess(now).code, 2);
  EXPECT_THAT(status_text(now), AllOf(StartsWith("current state   : ready to kdump\n"), why));
  EXPECT_THAT(show_text(now), why);
  const auto json = nlohmann::json::parse(status_json(now));
  EXPECT_EQ(json["state"], "unknown");
  EXPECT_EQ(json["image"]["state"], "unknown");
  EXPECT_THAT(json["reasons"].at(0).get<std::string>(), why);
}

TEST_F(Status, ImageThatDoesNotFitIsReadyWithAReason) {
  make_ready();
  const std::string manifest = std::string("var/lib/kdump/initrd.img-") + kRunning + ".manifest";
  machine.root.write(manifest, R"({"needed": 134217728})");
  EXPECT_EQ(assess(facts()).code, 0) << "the reservation is 128 MiB";
  EXPECT_THAT(show_text(facts()), HasSubstr("fresh, needs crashkernel=128M, saves"));
  machine.root.write(manifest, R"({"needed": 135266304})");
  const StatusFacts now = facts();
  EXPECT_THAT(assess(now).reasons,
              ElementsAre(AllOf(HasSubstr("needs crashkernel=129M, the reservation is 128M"),
                                HasSubstr("update-grub and reboot"))));
  EXPECT_EQ(assess(now).code, 2);
  EXPECT_EQ(nlohmann::json::parse(status_json(now))["state"], "does not fit");
  EXPECT_EQ(nlohmann::json::parse(status_json(now))["image"]["needed"], 135266304);
}

// As on LVM: an image by mkinitramfs, which has no manifest.
TEST_F(Status, ImageThatBootsTheRealRootHasToFitAsWell) {
  make_ready();
  std::filesystem::remove(
      machine.root.path(std::string("var/lib/kdump/initrd.img-") + kRunning + ".manifest"));
  machine.check_status = 3;
  machine.reserve(96);
  machine.root_needs = std::uint64_t{139} << 20;
  const StatusFacts now = facts();
  EXPECT_EQ(assess(now).code, 2);
  EXPECT_THAT(assess(now).reasons,
              Contains(AllOf(HasSubstr("needs crashkernel=139M, the reservation is 96M"),
                             HasSubstr("update-grub and reboot"), HasSubstr("192M"))));
  EXPECT_EQ(nlohmann::json::parse(status_json(now))["state"], "does not fit");
  EXPECT_THAT(show_text(now),
              HasSubstr("needs crashkernel=139M, better 192M, boots the real root"));
  EXPECT_THAT(test_text(facts(PlanFor::kTest)), HasSubstr("needs crashkernel=139M"));
  machine.reserve(160);
  EXPECT_THAT(assess(facts()).reasons, Not(Contains(HasSubstr("does not fit"))));
}

TEST_F(Status, ImageThatNobodyCanWeighIsReadyWithAReason) {
  make_ready();
  std::filesystem::remove(
      machine.root.path(std::string("var/lib/kdump/initrd.img-") + kRunning + ".manifest"));
  machine.check_status = 3;
  const StatusFacts now = facts();
  EXPECT_THAT(assess(now).reasons, Contains(AllOf(HasSubstr("cannot tell whether the image fits"),
                                                  HasSubstr("not an initrd"))));
  EXPECT_EQ(assess(now).code, 2);
  EXPECT_EQ(nlohmann::json::parse(status_json(now))["state"], "unknown");
}

TEST_F(Status, SaysWhatUpdateGrubWillTake) {
  make_ready();
  machine.root.write(std::string("var/lib/kdump/initrd.img-") + kRunning + ".manifest",
                     R"({"needed": 135266304})");
  machine.root.write("var/lib/kdump/crashkernel", "512M-:128M\n");
  EXPECT_THAT(assess(facts()).reasons, ElementsAre(AllOf(HasSubstr("kdump-config estimate --write"),
                                                         HasSubstr("crashkernel=152M"))));
  machine.root.write("var/lib/kdump/crashkernel", "512M-:152M\n");
  EXPECT_THAT(assess(facts()).reasons,
              ElementsAre(AllOf(HasSubstr("crashkernel=512M-:152M"), Not(HasSubstr("--write")))));
}

TEST_F(Status, TestSaysWhatAnImageOfMkinitramfsWillTake) {
  machine.build_status = 3;
  machine.runner.programs["mkinitramfs"] = [](const auto&) { return ProgramOutcome{0, ""}; };
  EXPECT_THAT(test_text(facts(PlanFor::kTest)),
              HasSubstr("takes crashkernel=192M on a small system; reserved are 128M"));
  machine.reserve(192);
  EXPECT_THAT(test_text(facts(PlanFor::kTest)), Not(HasSubstr("small system")));
}

TEST_F(Status, NobodyKnowsWhetherAnImageWithoutAGoodManifestFits) {
  make_ready();
  for (const char* text : {"", "{", "[]", R"({"needed": "lots"})", R"({"needed": -1})"}) {
    machine.root.write(std::string("var/lib/kdump/initrd.img-") + kRunning + ".manifest", text);
    EXPECT_EQ(assess(facts()).code, 0) << text;
    EXPECT_THAT(show_text(facts()), HasSubstr("needed memory unknown")) << text;
  }
}

// Kernel 7.3 and the makedumpfile of the machine, 1.7.2.
TEST_F(Status, SafeLevelIsReadyWithANote) {
  machine.install_kernel("7.3.4-amd64");
  machine.root.write("proc/sys/kernel/osrelease", "7.3.4-amd64\n");
  make_ready();
  const StatusFacts now = facts();
  EXPECT_EQ(assess(now).code, 0);
  const auto note = HasSubstr("-d 17 in place of -d 31");
  EXPECT_THAT(status_text(now), AllOf(StartsWith("current state   : ready to kdump\n"), note));
  EXPECT_THAT(show_text(now), AllOf(note, HasSubstr("makedumpfile 1.7.2, -c -d 17"),
                                    HasSubstr("released for kernels up to 6.0")));
  EXPECT_THAT(test_text(facts(PlanFor::kTest)), note);
  EXPECT_THAT(nlohmann::json::parse(status_json(now))["notes"].at(0).get<std::string>(), note);
}

TEST_F(Status, LargeDumpWithoutSpaceIsReadyWithAReason) {
  machine.install_kernel("7.3.4-amd64");
  machine.root.write("proc/sys/kernel/osrelease", "7.3.4-amd64\n");
  // An exabyte in use.
  machine.root.write("proc/meminfo", "MemTotal: 1125899906842624 kB\nMemFree: 0 kB\n");
  make_ready();
  const StatusFacts now = facts();
  EXPECT_THAT(assess(now).reasons,
              ElementsAre(AllOf(HasSubstr("/var/crash has"), HasSubstr("KDUMP_COREDIR"))));
  EXPECT_EQ(assess(now).code, 2);
  EXPECT_EQ(nlohmann::json::parse(status_json(now))["state"], "dump at risk");
  EXPECT_THAT(test_text(now), HasSubstr("/var/crash has"));
}

TEST_F(Status, OwnLevelThatSpoilsTheDumpIsReadyWithAReason) {
  machine.install_kernel("7.3.4-amd64");
  machine.root.write("proc/sys/kernel/osrelease", "7.3.4-amd64\n");
  machine.configure("MAKEDUMP_ARGS='-c -d 31'\n");
  make_ready();
  EXPECT_THAT(assess(facts()).reasons, ElementsAre(HasSubstr("MAKEDUMP_ARGS")));
  EXPECT_EQ(assess(facts()).code, 2);
  machine.configure("MAKEDUMP_ARGS='-c -d 1'\n");
  EXPECT_EQ(assess(facts()).code, 0);
}

// Its image has the level that is right for 6.1 and wrong for the kernel that would crash.
TEST_F(Status, ImageOfAnotherKernelThatFiltersTooMuchIsAReason) {
  machine.add_image(kRunning);
  machine.root.write("proc/sys/kernel/osrelease", "7.3.4-amd64\n");
  machine.build_status = 1;
  ASSERT_TRUE(load(machine.context()).has_value());
  const auto why = AllOf(HasSubstr(std::string("the image of ") + kRunning),
                         HasSubstr("kdump-mkinitrd 7.3.4-amd64 builds"));
  EXPECT_THAT(machine.said, AllOf(HasSubstr("WARNING: "), why));
  EXPECT_THAT(assess(facts()).reasons, Contains(why));
}

TEST_F(Status, FileSystemThatHoldsNoLargeFileIsANote) {
  make_ready();
  machine.root.write("var/crash/x", "");
  const auto mount = [this](const std::string& type) {
    machine.root.write("proc/self/mountinfo",
                       "1 1 8:1 / / rw - ext4 /dev/vda1 rw\n"
                       "2 1 8:2 / /var/crash rw - " +
                           type + " /dev/vda2 rw\n");
  };
  machine.root.write("proc/meminfo", "MemTotal: 8000000 kB\nMemFree: 7000000 kB\n");
  machine.root.write("proc/iomem", "");
  mount("vfat");
  EXPECT_THAT(status_text(facts()), HasSubstr("note: a file on vfat ends at 4 GiB"));
  EXPECT_THAT(test_text(facts()), HasSubstr("a file on vfat ends at 4 GiB"));
  EXPECT_EQ(assess(facts()).reasons, std::vector<std::string>());
  mount("ext4");
  EXPECT_THAT(status_text(facts()), Not(HasSubstr("vfat")));
}

TEST_F(Status, WrongLinkIsReadyWithAReason) {
  make_ready();
  machine.link("vmlinuz", "/nowhere");
  EXPECT_EQ(assess(facts()).code, 2);
  EXPECT_EQ(machine.link_text("vmlinuz"), "/nowhere") << "status repairs nothing";
}

TEST_F(Status, OtherKernelIsReadyWithAReason) {
  machine.install_kernel("6.1.0-10-amd64");
  machine.add_image("6.1.0-10-amd64");
  machine.build_status = 1;
  make_ready();
  EXPECT_THAT(assess(facts()).reasons,
              ElementsAre(HasSubstr("the capture kernel is 6.1.0-10-amd64")));
  EXPECT_EQ(assess(facts()).code, 2);
}

TEST_F(Status, ImageBuiltAfterTheLoadIsNotTheLoadedOne) {
  make_ready();
  std::filesystem::last_write_time(
      machine.root.path(std::string("var/lib/kdump/initrd.img-") + kRunning),
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_THAT(assess(facts()).reasons, ElementsAre(HasSubstr("newer than the loaded one")));
}

TEST_F(Status, BuildsAndLoadsNothing) {
  facts();
  facts(PlanFor::kTest);
  EXPECT_THAT(machine.kexec_calls(), IsEmpty());
  EXPECT_FALSE(has_image(machine.reader(), kRunning));
  EXPECT_EQ(machine.link_text("vmlinuz"), "");
}

TEST_F(Status, JsonHasTheSameVerdict) {
  make_ready();
  machine.check_status = 10;
  const auto json = nlohmann::json::parse(status_json(facts()));
  EXPECT_EQ(json["state"], "stale");
  EXPECT_EQ(json["loaded"], true);
  EXPECT_EQ(json["reasons"].size(), 1U);
  EXPECT_EQ(json["running_kernel"], kRunning);
  EXPECT_EQ(json["reservation"], 134217728);
  EXPECT_EQ(json["image"]["capture"], "direct");
  machine.set_loaded(false);
  EXPECT_EQ(nlohmann::json::parse(status_json(facts()))["state"], "not ready");
}

TEST_F(Status, JsonStaysValidWhateverTheCommandLineHolds) {
  machine.root.write("proc/cmdline", "crashkernel=1G a=\xff\xfe \"b\n");
  machine.add_image(kRunning);
  EXPECT_TRUE(nlohmann::json::accept(status_json(facts())));
}

TEST_F(Status, ShowHasTheLabelsOfKdumpTools) {
  make_ready();
  const std::string text = show_text(facts());
  for (const char* line :
       {"DUMP_MODE:\t\tkdump\n", "USE_KDUMP:\t\t1\n", "KDUMP_COREDIR:\t\t/var/crash\n",
        "crashkernel addr: 0x37000000\n",
        "   /var/lib/kdump/vmlinuz: symbolic link to /boot/vmlinuz-6.1.0-56-amd64\n",
        "kdump initrd: \n   /var/lib/kdump/initrd.img: symbolic link to ",
        "current state:    ready to kdump\n", "kexec command:\n  /usr/sbin/kexec -p -s "}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("percpu_alloc=page"));
  EXPECT_THAT(text, HasSubstr("crashkernel=128M                        would reserve"));
}

TEST_F(Status, ShowHidesThePassword) {
  machine.configure("FTP=host\nFTP_USER=u\nFTP_PASSWORD=secret\n");
  EXPECT_THAT(show_text(facts()), HasSubstr("FTP_PASSWORD:     is set\n"));
  EXPECT_THAT(show_text(facts()), Not(HasSubstr("secret")));
}

TEST_F(Status, TestShowsTheCommandBeforeTheImageIsThere) {
  const StatusFacts now = facts(PlanFor::kTest);
  EXPECT_TRUE(would_load(now));
  EXPECT_THAT(test_text(now), HasSubstr("kexec command to be used:\n  /usr/sbin/kexec -p -s "));
  EXPECT_THAT(test_text(now),
              HasSubstr(std::string("--initrd=/var/lib/kdump/initrd.img-") + kRunning));
  EXPECT_THAT(test_text(now), HasSubstr("Invalid symlink : /var/lib/kdump/vmlinuz"));
}

TEST_F(Status, TestSaysWhenTheImageCannotBeBuilt) {
  machine.build_status = 3;
  const StatusFacts now = facts(PlanFor::kTest);
  EXPECT_FALSE(would_load(now));
  EXPECT_THAT(test_text(now), HasSubstr("no way"));
}

TEST_F(Status, TestOfADisabledMachineFails) {
  machine.root.write("etc/default/kdump-tools", "USE_KDUMP=0\n");
  EXPECT_FALSE(would_load(facts(PlanFor::kTest)));
}

TEST_F(Status, ConfiguredInitrdIsWeighedAsAnyOther) {
  machine.root.write("boot/my.img", "image");
  machine.configure("KDUMP_INITRD=/boot/my.img\n");
  make_ready();
  EXPECT_EQ(assess(facts()).code, 2);
  EXPECT_THAT(assess(facts()).reasons,
              ElementsAre(HasSubstr("cannot tell whether the image fits")));
  machine.root_needs = std::uint64_t{300} << 20;
  EXPECT_EQ(assess(facts()).code, 2);
  EXPECT_THAT(assess(facts()).reasons, ElementsAre(HasSubstr("needs crashkernel=300M")));
  EXPECT_EQ(machine.runner.calls.back().at(4), machine.root.path("boot/my.img"));
}

// A passphrase that nobody types ends no capture.
TEST_F(Status, RootThatIsOpenedByHandIsAReason) {
  machine.build_status = 3;
  machine.root_needs = std::uint64_t{100} << 20;
  machine.root.write("etc/initramfs-tools/initramfs.conf", "MODULES=dep\n");
  machine.runner.programs["mkinitramfs"] = [this](const std::vector<std::string>& argv) {
    const auto output = std::ranges::find(argv, "-o");
    std::ofstream(*(output + 1)) << "image";
    return ProgramOutcome{0, ""};
  };
  machine.root.write("proc/self/mountinfo", "26 1 253:0 / / rw - ext4 /dev/mapper/root rw\n");
  machine.root.write("sys/devices/virtual/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123-root\n");
  machine.root.write("sys/devices/virtual/block/dm-0/dev", "253:0\n");
  for (const char* link : {"sys/dev/block/253:0", "sys/class/block/dm-0"}) {
    std::filesystem::create_directories(
        std::filesystem::path(machine.root.path(link)).parent_path());
    std::filesystem::create_symlink("../../devices/virtual/block/dm-0", machine.root.path(link));
  }
  make_ready();
  EXPECT_EQ(assess(facts()).code, 2);
  EXPECT_THAT(assess(facts()).reasons, ElementsAre(HasSubstr("passphrase of the encrypted dm-0")));
  machine.root.write("etc/crypttab", "root UUID=0123 /etc/keys/root.key luks\n");
  EXPECT_EQ(assess(facts()).code, 0);
}

TEST(Crypttab, TellsWhoOpensAVolume) {
  EXPECT_TRUE(asks_for_passphrase(""));
  EXPECT_TRUE(asks_for_passphrase("# comment\n\nroot UUID=1 none luks,discard\n"));
  EXPECT_TRUE(asks_for_passphrase("a UUID=1 /key luks\nb UUID=2 -\n"));
  EXPECT_TRUE(asks_for_passphrase("b UUID=2\n"));
  EXPECT_FALSE(asks_for_passphrase("root UUID=1 /etc/key luks\n"));
  EXPECT_FALSE(asks_for_passphrase("root UUID=1 none luks,tpm2-device=auto\n"));
  EXPECT_FALSE(asks_for_passphrase("root UUID=1 none luks,keyscript=decrypt_keyctl\n"));
}

TEST_F(Status, ConfiguredInitrdIsNotCalledStale) {
  machine.root.write("boot/my.img", "image");
  machine.root_needs = std::uint64_t{100} << 20;
  machine.configure("KDUMP_INITRD=/boot/my.img\n");
  make_ready();
  machine.check_status = 10;
  EXPECT_EQ(assess(facts()).code, 0);
}

}  // namespace
}  // namespace kd
