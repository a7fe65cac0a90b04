// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/load.h"

#include <thread>

#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class Load : public testing::Test {
 protected:
  Context context() { return machine.context(); }
  // Loads, and returns what went to kexec.
  std::vector<std::string> loaded_command() {
    const Result<void> result = load(context());
    EXPECT_TRUE(result.has_value()) << result.error().message;
    const auto calls = machine.kexec_calls();
    return calls.empty() ? std::vector<std::string>{} : calls.back();
  }
  Error refused() {
    const Result<void> result = load(context());
    if (result) return {.message = "not refused"};
    EXPECT_THAT(machine.kexec_calls(), IsEmpty());
    return result.error();
  }
  FakeMachine machine;
};

TEST_F(Load, BuildsLinksAndLoads) {
  EXPECT_THAT(
      loaded_command(),
      ElementsAre("/usr/sbin/kexec", "-p", "-s", StartsWith("--command-line=root=/dev/vda1"),
                  "--initrd=/var/lib/kdump/initrd.img", "/var/lib/kdump/vmlinuz"));
  EXPECT_EQ(machine.link_text("vmlinuz"), std::string("/boot/vmlinuz-") + kRunning);
  EXPECT_EQ(machine.link_text("initrd.img"), std::string("/var/lib/kdump/initrd.img-") + kRunning);
  EXPECT_THAT(machine.said, HasSubstr("loaded kdump kernel\n"));
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_THAT(machine.root.read("proc/sys/kernel/panic_on_oops"), StartsWith("1"));
  EXPECT_THAT(machine.root.read("var/crash/kexec_cmd"),
              testing::AllOf(StartsWith("/usr/sbin/kexec -p -s --command-line=\"root="),
                             EndsWith(" /var/lib/kdump/vmlinuz\n")));
}

TEST_F(Load, RightLinksAreNotTouched) {
  machine.add_image(kRunning);
  machine.right_links();
  const ReadOnly read_only(machine, "var/lib/kdump");
  machine.runner.programs["kdump-mkinitrd"] = [](const auto&) { return ProgramOutcome{}; };
  EXPECT_TRUE(load(context()).has_value());
  EXPECT_THAT(machine.said, Not(HasSubstr("symlink")));
}

TEST_F(Load, LinksFollowTheRunningKernel) {
  machine.install_kernel("6.1.0-55-amd64");
  machine.add_image("6.1.0-55-amd64");
  machine.right_links("6.1.0-55-amd64");
  loaded_command();
  EXPECT_EQ(machine.link_text("vmlinuz"), std::string("/boot/vmlinuz-") + kRunning);
  EXPECT_THAT(machine.said, HasSubstr("Invalid symlink : /var/lib/kdump/vmlinuz"));
  EXPECT_THAT(machine.said, HasSubstr("Creating symlink /var/lib/kdump/vmlinuz"));
}

TEST_F(Load, BrokenLinksAreReplaced) {
  machine.right_links("5.10.0-1-amd64");
  loaded_command();
  EXPECT_EQ(machine.link_text("initrd.img"), std::string("/var/lib/kdump/initrd.img-") + kRunning);
}

TEST_F(Load, DirectoryInPlaceOfALinkIsKeptAndTheFilesAreLoaded) {
  std::filesystem::create_directory(machine.root.path("var/lib/kdump/vmlinuz"));
  EXPECT_THAT(loaded_command(), Contains(std::string("/boot/vmlinuz-") + kRunning));
  EXPECT_TRUE(std::filesystem::is_directory(machine.root.path("var/lib/kdump/vmlinuz")));
  EXPECT_THAT(machine.said, HasSubstr("is a directory and not a link; move it away"));
}

TEST_F(Load, ReadOnlyVarStillLoads) {
  machine.add_image(kRunning);
  machine.build_status = 1;
  const ReadOnly read_only(machine, "var/lib/kdump");
  EXPECT_THAT(
      loaded_command(),
      testing::AllOf(Contains(std::string("--initrd=/var/lib/kdump/initrd.img-") + kRunning),
                     Contains(std::string("/boot/vmlinuz-") + kRunning)));
  EXPECT_THAT(machine.said, HasSubstr("Permission denied"));
  EXPECT_THAT(machine.said, HasSubstr("using the files themselves"));
}

TEST_F(Load, FailedBuildUsesTheOldImage) {
  machine.add_image(kRunning);
  machine.build_status = 1;
  loaded_command();
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_THAT(machine.said, HasSubstr("kdump-mkinitrd: no way"));
  EXPECT_THAT(machine.said, HasSubstr("that was built before"));
}

TEST_F(Load, FailedBuildWithoutAnImageUsesTheNewestOtherKernel) {
  for (const char* version : {"6.1.0-9-amd64", "6.1.0-10-amd64"}) {
    machine.install_kernel(version);
    machine.add_image(version);
  }
  machine.build_status = 5;
  loaded_command();
  EXPECT_EQ(machine.link_text("vmlinuz"), "/boot/vmlinuz-6.1.0-10-amd64");
  EXPECT_THAT(machine.said, HasSubstr("using kernel 6.1.0-10-amd64 with its image instead"));
}

TEST_F(Load, FailedBuildWithoutAnyImageHasTheBuildersExitCode) {
  for (const int status : {1, 2, 4, 5}) {
    machine.build_status = status;
    EXPECT_EQ(static_cast<int>(refused().kind), status);
  }
  machine.build_status = 137;
  EXPECT_EQ(refused().kind, ErrorKind::kFailed);
}

TEST_F(Load, RemovedRunningKernelIsReplacedByAnotherOne) {
  std::filesystem::remove(machine.root.path(std::string("boot/vmlinuz-") + kRunning));
  machine.install_kernel("6.1.0-57-amd64");
  machine.add_image("6.1.0-57-amd64");
  loaded_command();
  EXPECT_EQ(machine.link_text("vmlinuz"), "/boot/vmlinuz-6.1.0-57-amd64");
}

TEST_F(Load, BothKernelFilesGiveOneLink) {
  machine.root.write(std::string("boot/vmlinux-") + kRunning,
                     "\x7f"
                     "ELF");
  loaded_command();
  EXPECT_EQ(machine.link_text("vmlinuz"), std::string("/boot/vmlinuz-") + kRunning);
}

TEST_F(Load, ElfKernelIsPassedAsLinux) {
  std::filesystem::remove(machine.root.path(std::string("boot/vmlinuz-") + kRunning));
  machine.root.write(std::string("boot/vmlinux-") + kRunning,
                     "\x7f"
                     "ELF...");
  EXPECT_THAT(loaded_command(), Contains("--args-linux"));
}

TEST_F(Load, ConfiguredKernelAndInitrdReplaceTheLinks) {
  machine.root.write("boot/special", "kernel");
  machine.root.write("boot/special.img", "image");
  machine.configure("KDUMP_KERNEL=/boot/special\nKDUMP_INITRD=/boot/special.img\n");
  EXPECT_THAT(loaded_command(),
              testing::AllOf(Contains("--initrd=/boot/special.img"), Contains("/boot/special")));
  EXPECT_EQ(machine.link_text("vmlinuz"), "");
  EXPECT_THAT(machine.runner.names_called(), Not(Contains("kdump-mkinitrd")));
}

TEST_F(Load, StockConfigurationMeansTheLinks) {
  machine.configure(
      "KDUMP_KERNEL=/var/lib/kdump/vmlinuz\nKDUMP_INITRD=/var/lib/kdump/initrd.img\n");
  EXPECT_THAT(loaded_command(), Contains("/var/lib/kdump/vmlinuz"));
  EXPECT_EQ(machine.link_text("vmlinuz"), std::string("/boot/vmlinuz-") + kRunning);
}

TEST_F(Load, MissingConfiguredFilesAreNamed) {
  machine.configure("KDUMP_KERNEL=/boot/special\n");
  EXPECT_THAT(refused().message, HasSubstr("KDUMP_KERNEL does not exist: /boot/special"));
  machine.configure("KDUMP_INITRD=/boot/special.img\n");
  EXPECT_THAT(refused().message, HasSubstr("KDUMP_INITRD does not exist: /boot/special.img"));
}

TEST_F(Load, ClassicLoadIsTheSecondTry) {
  machine.kexec_refuses = {"-s"};
  EXPECT_THAT(loaded_command(), Contains("-c"));
  EXPECT_THAT(machine.root.read("var/crash/kexec_cmd"), HasSubstr("kexec -p -c "));
}

TEST_F(Load, ClassicLoadSaysWhatOfTheReservationIsLost) {
  machine.root.write("proc/iomem", "20000000-2fffffff : Crash kernel\n");
  machine.root.write("sys/kernel/kexec_crash_cma_ranges", "40000000-47ffffff\n");
  (void)loaded_command();
  EXPECT_THAT(machine.said, Not(HasSubstr(",cma")));
  machine.kexec_refuses = {"-s"};
  ASSERT_TRUE(reload(context()).has_value());
  EXPECT_THAT(machine.said, HasSubstr("has 256 MiB and not 384"));
}

TEST_F(Load, SecureBootHasNoSecondTry) {
  machine.root.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  machine.kexec_refuses = {"-s"};
  const Result<void> result = load(context());
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("failed to load kdump kernel"));
  EXPECT_THAT(result.error().message, HasSubstr("kexec: refused -s"));
  EXPECT_THAT(result.error().message, HasSubstr("lockdown=integrity is on"));
  EXPECT_EQ(machine.kexec_calls().size(), 1U);
}

TEST_F(Load, FailureShowsBothTries) {
  machine.kexec_refuses = {"-s", "-c"};
  const Result<void> result = load(context());
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("kexec: refused -s"));
  EXPECT_THAT(result.error().message, HasSubstr("kexec: refused -c"));
  EXPECT_THAT(machine.root.read("proc/sys/kernel/panic_on_oops"), StartsWith("0"));
}

TEST_F(Load, SuccessOfKexecIsNotBelieved) {
  machine.runner.programs["kexec"] = [](const auto&) { return ProgramOutcome{}; };
  const Result<void> result = load(context());
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("the kernel says otherwise"));
}

TEST_F(Load, KexecArgumentsAreWords) {
  machine.configure("KDUMP_KEXEC_ARGS=\"--noio '--dt-no-old root' ; reboot\"\n");
  EXPECT_THAT(loaded_command(),
              testing::IsSupersetOf({"--noio", "--dt-no-old root", ";", "reboot"}));
}

TEST_F(Load, ImageThatBootsTheRealRootGetsTheStockLine) {
  machine.build_status = 1;
  machine.add_image(kRunning, false);
  EXPECT_THAT(loaded_command(),
              Contains("--command-line=root=/dev/vda1 ro reset_devices "
                       "systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll panic=10 "
                       "systemd.crash_reboot"));
}

TEST_F(Load, TooLongACommandLineIsRefused) {
  machine.configure("KDUMP_CMDLINE=\"" + std::string(2100, 'x') + "\"\n");
  EXPECT_THAT(refused().message, HasSubstr("KDUMP_CMDLINE"));
}

TEST_F(Load, RefusesWhatKdumpToolsRefusesInItsWords) {
  machine.root.write("etc/default/kdump-tools", "USE_KDUMP=0\n");
  EXPECT_THAT(refused().message, HasSubstr("USE_KDUMP is not set or zero"));
  machine.configure("");
  machine.root.write("proc/cmdline", "ro\n");
  EXPECT_THAT(refused().message, HasSubstr("no crashkernel= parameter in the kernel cmdline"));
  EXPECT_THAT(refused().message, HasSubstr("update-grub"));
  std::filesystem::remove_all(machine.root.path("sys/kernel"));
  EXPECT_THAT(refused().message, HasSubstr("kdump is not supported by this kernel"));
}

TEST_F(Load, RefusesAReservationOfNothing) {
  machine.root.write("sys/kernel/kexec_crash_size", "0\n");
  EXPECT_THAT(refused().message, HasSubstr("reserved no memory"));
}

TEST_F(Load, RefusesNetworkTargetsWithTheirExitCode) {
  for (const char* target : {"SSH=a@b", "NFS=host:/dir", "FTP=host"}) {
    machine.configure(std::string(target) + "\n");
    const Error error = refused();
    EXPECT_EQ(error.kind, ErrorKind::kTargetNotSupported) << target;
    EXPECT_THAT(error.message, HasSubstr(std::string(target).substr(0, 3)));
  }
}

TEST_F(Load, RefusesAKernelThatCannotMove) {
  std::string image(0x1000, '\0');
  image.replace(0x1fe, 2, "\x55\xaa");
  image.replace(0x202, 4, "HdrS");
  image.replace(0x206, 2, std::string("\x0f\x02", 2));
  machine.root.write(std::string("boot/vmlinuz-") + kRunning, image);
  EXPECT_EQ(refused().kind, ErrorKind::kTargetNotSupported);
}

TEST_F(Load, SecondLoadChangesNothing) {
  loaded_command();
  const auto calls = machine.runner.calls.size();
  EXPECT_TRUE(load(context()).has_value());
  EXPECT_EQ(machine.runner.calls.size(), calls);
  EXPECT_THAT(machine.said, HasSubstr("already loaded"));
}

TEST_F(Load, ReloadThatCannotBePreparedKeepsWhatIsLoaded) {
  loaded_command();
  const auto calls = machine.kexec_calls().size();
  machine.configure("KDUMP_INITRD=/nowhere\n");
  EXPECT_FALSE(reload(context()).has_value());
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_EQ(machine.kexec_calls().size(), calls);
}

// The build replaces the image on disk before anybody knows that the kernel refuses the new one.
class FailedReload : public Load {
 protected:
  void SetUp() override {
    loaded_command();
    good_ = machine.loaded_image;
    ASSERT_FALSE(good_.empty());
    machine.runner.programs["kdump-mkinitrd"] = [this](const std::vector<std::string>& argv) {
      const std::string path = "var/lib/kdump/initrd.img-" + argv.back();
      machine.root.write(path + ".new", "bad");
      std::filesystem::rename(machine.root.path(path + ".new"), machine.root.path(path));
      return ProgramOutcome{0, "built\n"};
    };
    machine.kexec_refuses_image = "bad";
  }
  std::string good_;
};

TEST_F(FailedReload, BringsBackWhatWasLoaded) {
  const Result<void> result = reload(context());
  ASSERT_FALSE(result.has_value());
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_EQ(machine.loaded_image, good_);
  EXPECT_THAT(result.error().message,
              testing::AllOf(HasSubstr("kexec: refused the image"),
                             HasSubstr("image of the load before are loaded again")));
  EXPECT_THAT(
      machine.kexec_calls().back(),
      ElementsAre("/usr/sbin/kexec", "-p", "-s", StartsWith("--command-line=root="),
                  "--initrd=/var/lib/kdump/loaded/initrd.img", "/var/lib/kdump/loaded/vmlinuz"));
  // And once more: what was kept is not the image that failed.
  EXPECT_FALSE(reload(context()).has_value());
  EXPECT_EQ(machine.loaded_image, good_);
}

TEST_F(FailedReload, OfAnEventBringsItBackAsWell) {
  EXPECT_FALSE(reload_if_loaded(context(), "").has_value());
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_EQ(machine.loaded_image, good_);
}

TEST_F(FailedReload, SaysWhenNothingIsLoadedAnyMore) {
  std::filesystem::remove_all(machine.root.path("var/lib/kdump/loaded"));
  const Result<void> result = reload(context());
  ASSERT_FALSE(result.has_value());
  EXPECT_FALSE(machine.state().loaded);
  EXPECT_THAT(result.error().message, HasSubstr("no kdump kernel is loaded, and"));
}

TEST_F(FailedReload, AtBootTheLoadOfTheBootBeforeIsBetterThanNone) {
  machine.set_loaded(false);
  machine.loaded_image.clear();
  const Result<void> result = load(context());
  ASSERT_FALSE(result.has_value()) << "the image on disk is still bad";
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_EQ(machine.loaded_image, good_);
  EXPECT_THAT(result.error().message, HasSubstr("image of the load before are loaded again"));
}

// Its dump level and its modules are of another kernel.
TEST_F(FailedReload, UnderAnotherKernelWhatWasKeptIsNotUsed) {
  machine.set_loaded(false);
  machine.root.write("proc/sys/kernel/osrelease", "7.3.4-amd64\n");
  machine.install_kernel("7.3.4-amd64");
  const Result<void> result = load(context());
  ASSERT_FALSE(result.has_value());
  EXPECT_FALSE(machine.state().loaded);
  EXPECT_THAT(result.error().message, testing::Not(HasSubstr("the load before")));
}

TEST_F(FailedReload, KernelThatWasReplacedIsTheKeptOneToo) {
  machine.root.write("boot/new", "another kernel");
  std::filesystem::rename(machine.root.path("boot/new"),
                          machine.root.path(std::string("boot/vmlinuz-") + kRunning));
  EXPECT_FALSE(reload(context()).has_value());
  EXPECT_EQ(machine.root.read("var/lib/kdump/loaded/vmlinuz"), std::string("kernel ") + kRunning);
}

TEST_F(FailedReload, AfterAnUnloadNothingIsKept) {
  ASSERT_TRUE(unload(context()).has_value());
  EXPECT_FALSE(std::filesystem::exists(machine.root.path("var/lib/kdump/loaded")));
}

TEST_F(Load, UnloadUnloadsAndIsIdempotent) {
  loaded_command();
  ASSERT_TRUE(unload(context()).has_value());
  EXPECT_THAT(machine.kexec_calls().back(), ElementsAre("/usr/sbin/kexec", "-p", "-u", "-s"));
  EXPECT_THAT(machine.said, HasSubstr("unloaded kdump kernel"));
  EXPECT_FALSE(machine.root.read("run/kdump/loaded").size());
  EXPECT_TRUE(unload(context()).has_value());
  EXPECT_THAT(machine.said, HasSubstr("no kdump kernel is loaded"));
}

TEST_F(Load, UnloadUnderLockdownUsesTheFileCall) {
  loaded_command();
  machine.root.write("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
  machine.kexec_refuses = {"-s"};
  const Result<void> result = unload(context());
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("failed to unload kdump kernel"));
  EXPECT_TRUE(machine.state().loaded);
}

TEST_F(Load, TryReloadDoesNothingWithoutACrashKernel) {
  EXPECT_TRUE(reload_if_loaded(context(), "").has_value());
  EXPECT_THAT(machine.runner.calls, IsEmpty());
}

TEST_F(Load, TryReloadReloads) {
  loaded_command();
  ASSERT_TRUE(reload_if_loaded(context(), "").has_value());
  EXPECT_EQ(machine.kexec_calls().size(), 2U);
}

TEST_F(Load, HotplugIsLeftToAKernelThatFollowsIt) {
  loaded_command();
  machine.root.write("sys/devices/system/cpu/crash_hotplug", "1\n");
  machine.root.write("sys/devices/system/memory/crash_hotplug", "0\n");
  ASSERT_TRUE(reload_if_loaded(context(), "cpu").has_value());
  EXPECT_EQ(machine.kexec_calls().size(), 1U);
  ASSERT_TRUE(reload_if_loaded(context(), "memory").has_value());
  EXPECT_EQ(machine.kexec_calls().size(), 2U);
  ASSERT_TRUE(reload_if_loaded(context(), "").has_value()) << "asked for by a person";
  EXPECT_EQ(machine.kexec_calls().size(), 3U);
}

TEST_F(Load, HotplugSeenByALaterLoadNeedsNoOther) {
  loaded_command();
  // A load that starts after the event: its mark is younger than the event.
  std::filesystem::last_write_time(
      machine.root.path("run/kdump/loaded"),
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_TRUE(reload_if_loaded(context(), "cpu").has_value());
  EXPECT_EQ(machine.kexec_calls().size(), 1U);
}

TEST_F(Load, ConfiguredSysctlsReplaceTheDefault) {
  machine.root.write("proc/sys/kernel/panic_on_io_nmi", "0");
  machine.configure(
      "KDUMP_SYSCTL=\"kernel.panic_on_io_nmi=1 kernel.nothing=1 ../../x=2 "
      "net.ipv4.conf.eth0/1.forwarding=1\"\n");
  machine.root.write("proc/sys/net/ipv4/conf/eth0.1/forwarding", "0");
  loaded_command();
  EXPECT_EQ(machine.root.read("proc/sys/kernel/panic_on_io_nmi"), "1");
  EXPECT_THAT(machine.root.read("proc/sys/kernel/panic_on_oops"), StartsWith("0"));
  EXPECT_THAT(machine.said, HasSubstr("kernel.nothing=1"));
  EXPECT_EQ(machine.root.read("proc/sys/net/ipv4/conf/eth0.1/forwarding"), "1");
}

class Symlinks : public Load {};

TEST_F(Symlinks, RefusedWhileLoaded) {
  machine.set_loaded(true);
  const Result<void> result = set_links(context(), kRunning, false);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message,
              StartsWith("Cannot change symbolic links when kdump is loaded"));
  EXPECT_EQ(machine.link_text("vmlinuz"), "");
}

TEST_F(Symlinks, AnyVersion) {
  machine.install_kernel("6.1.0-55-amd64");
  ASSERT_TRUE(set_links(context(), "6.1.0-55-amd64", false).has_value());
  EXPECT_EQ(machine.link_text("vmlinuz"), "/boot/vmlinuz-6.1.0-55-amd64");
  EXPECT_EQ(machine.link_text("initrd.img"), "/var/lib/kdump/initrd.img-6.1.0-55-amd64");
}

TEST_F(Symlinks, UnknownVersionIsRefusedAndNothingChanges) {
  for (const char* version : {"6.1.0-5", "6.1.0-56", "../../etc", "-x", ""}) {
    const Result<void> result = set_links(context(), version, false);
    ASSERT_FALSE(result.has_value()) << version;
    EXPECT_EQ(result.error().kind, ErrorKind::kKernelNotFound);
    EXPECT_THAT(result.error().message, HasSubstr("Invalid kernel version : "));
  }
  EXPECT_EQ(machine.link_text("vmlinuz"), "");
  EXPECT_THAT(machine.runner.calls, IsEmpty());
}

TEST_F(Symlinks, FallbackTakesTheNewestOther) {
  machine.install_kernel("6.1.0-10-amd64");
  machine.add_image("6.1.0-10-amd64");
  EXPECT_FALSE(set_links(context(), "6.9.9", false).has_value());
  EXPECT_EQ(machine.link_text("vmlinuz"), "");
  ASSERT_TRUE(set_links(context(), "6.9.9", true).has_value());
  EXPECT_EQ(machine.link_text("vmlinuz"), "/boot/vmlinuz-6.1.0-10-amd64");
}

TEST_F(Symlinks, SomethingInTheWayIsAnError) {
  machine.root.write("var/lib/kdump/vmlinuz", "a file");
  const Result<void> result = set_links(context(), kRunning, false);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("move it away"));
  EXPECT_EQ(machine.root.read("var/lib/kdump/vmlinuz"), "a file");
  EXPECT_NE(machine.link_text("initrd.img"), "") << "the other link is made all the same";
}

}  // namespace
}  // namespace kd
