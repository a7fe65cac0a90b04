// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/state.h"

#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(State, ReadsTheOldAttributes) {
  FakeMachine machine;
  const KdumpState state = machine.state();
  EXPECT_TRUE(state.supported);
  EXPECT_FALSE(state.loaded);
  EXPECT_EQ(state.reservation, 134217728U);
  EXPECT_EQ(state.running, kRunning);
  EXPECT_EQ(state.command_line, "root=/dev/vda1 ro crashkernel=128M");
  EXPECT_EQ(state.crash_address, "0x37000000");
  EXPECT_TRUE(state.crashkernel);
}

TEST(State, PrefersTheNewAttributes) {
  FakeMachine machine;
  machine.root.write("sys/kernel/kexec/crash_loaded", "1\n");
  machine.root.write("sys/kernel/kexec/crash_size", "268435456\n");
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_EQ(machine.state().reservation, 268435456U);
}

TEST(State, ReservationOfSeveralPartsIsTheirSum) {
  FakeMachine machine;
  machine.root.write("proc/iomem",
                     "00100000-3fffffff : System RAM\n  20000000-2fffffff : Crash kernel\n"
                     "100000000-1ffffffff : System RAM\n  1f0000000-1f7ffffff : Crash kernel\n");
  EXPECT_EQ(machine.state().reservation, (256U + 128U) << 20);
  machine.root.write("sys/kernel/kexec/crash_size", "402653184\n");
  machine.root.write("sys/kernel/kexec/crash_cma_ranges", "40000000-47ffffff\n");
  EXPECT_EQ(machine.state().reservation, (256U + 128U + 128U) << 20);
  machine.configure("KDUMP_KEXEC_ARGS=\"-c\"\n");
  EXPECT_EQ(machine.state().reservation, (256U + 128U) << 20) << "kexec_load(2) knows no CMA";
}

TEST(State, WhatIsLoadedTellsWhetherCmaCounts) {
  FakeMachine machine;
  machine.root.write("proc/iomem", "20000000-2fffffff : Crash kernel\n");
  machine.root.write("sys/kernel/kexec/crash_size", "268435456\n");
  machine.root.write("sys/kernel/kexec/crash_cma_ranges", "40000000-47ffffff\n");
  machine.root.write("sys/kernel/kexec/crash_loaded", "1\n");
  machine.root.write("run/kdump/loaded", "kexec -p -s '--command-line=ro -c' /vmlinuz\n");
  EXPECT_EQ(machine.state().reservation, (256U + 128U) << 20);
  machine.root.write("run/kdump/loaded", "kexec -p -c --command-line=ro /vmlinuz\n");
  EXPECT_EQ(machine.state().reservation, 256U << 20);
}

TEST(State, KernelWithoutKexecIsNotSupported) {
  FakeMachine machine;
  std::filesystem::remove_all(machine.root.path("sys/kernel"));
  EXPECT_FALSE(machine.state().supported);
  EXPECT_EQ(machine.state().reservation, 0U);
}

TEST(State, HiddenAddressesAreNoAddress) {
  FakeMachine machine;
  machine.root.write("proc/iomem",
                     "00000000-00000000 : System RAM\n"
                     "  00000000-00000000 : Crash kernel\n");
  EXPECT_EQ(machine.state().crash_address, "");
}

TEST(State, CrashkernelIsAParameterOfItsOwn) {
  FakeMachine machine;
  const auto found = [&](const char* line) {
    machine.root.write("proc/cmdline", line);
    return machine.state().crashkernel;
  };
  EXPECT_TRUE(found("crashkernel=128M"));
  EXPECT_TRUE(found("ro crashkernel=1G,high\n"));
  EXPECT_TRUE(found("ro \"crashkernel=128M\""));
  EXPECT_FALSE(found("ro xcrashkernel=1G"));
  EXPECT_FALSE(found("ro crashkernel"));
  EXPECT_TRUE(found("xcrashkernel=1 crashkernel=1"));
}

void put_efi(const FakeMachine& machine, const std::string& name, char value) {
  machine.root.write("sys/firmware/efi/efivars/" + name + "-8be4df61-93ca-11d2-aa0d-00e098032b8c",
                     std::string("\x06\0\0\0", 4) + value);
}

struct SecureBootCase {
  int secure_boot, setup_mode;  // -1: no such variable
  const char* expected;
};
void PrintTo(const SecureBootCase& tested, std::ostream* out) {
  *out << "SecureBoot " << tested.secure_boot << ", SetupMode " << tested.setup_mode;
}
class SecureBoot : public testing::TestWithParam<SecureBootCase> {};
TEST_P(SecureBoot, Decides) {
  FakeMachine machine;
  if (GetParam().secure_boot >= 0) {
    put_efi(machine, "SecureBoot", static_cast<char>(GetParam().secure_boot));
  }
  if (GetParam().setup_mode >= 0) {
    put_efi(machine, "SetupMode", static_cast<char>(GetParam().setup_mode));
  }
  put_efi(machine, "SecureBootSetup", 0);
  EXPECT_EQ(machine.state().file_load_only, GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(Cases, SecureBoot,
                         testing::Values(SecureBootCase{1, 0, "Secure Boot"},
                                         SecureBootCase{1, 1, ""}, SecureBootCase{0, 0, ""},
                                         SecureBootCase{0, 1, ""}, SecureBootCase{-1, 0, ""},
                                         SecureBootCase{1, -1, ""}, SecureBootCase{-1, -1, ""}));

TEST(State, TruncatedEfiVariableSaysNothing) {
  FakeMachine machine;
  put_efi(machine, "SetupMode", 0);
  machine.root.write("sys/firmware/efi/efivars/SecureBoot-x", "\x01");
  EXPECT_EQ(machine.state().file_load_only, "");
}

TEST(State, LockdownModes) {
  FakeMachine machine;
  const auto mode = [&](const char* text) {
    machine.root.write("sys/kernel/security/lockdown", text);
    return machine.state().file_load_only;
  };
  EXPECT_EQ(mode("[none] integrity confidentiality\n"), "");
  EXPECT_EQ(mode("none [integrity] confidentiality\n"), "lockdown=integrity");
  EXPECT_EQ(mode("none integrity [confidentiality]\n"), "lockdown=confidentiality");
  EXPECT_EQ(mode("garbage\n"), "");
}

TEST(State, Securelevel) {
  FakeMachine machine;
  machine.root.write("sys/kernel/security/securelevel", "1\n");
  EXPECT_EQ(machine.state().file_load_only, "securelevel");
  machine.root.write("sys/kernel/security/securelevel", "0\n");
  EXPECT_EQ(machine.state().file_load_only, "");
}

TEST(State, BrokenConfigurationIsAnErrorOfUsage) {
  FakeMachine machine;
  machine.configure("KDUMP_NUM_DUMPS=many\n");
  const auto state = read_state(machine.reader(), kKdumpConfigPath);
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().kind, ErrorKind::kUsage);
}

TEST(KernelVersion, IsOneComponentThatIsNoOption) {
  for (const char* good : {"6.1.0-56-amd64", "6.12.107+deb13-amd64", "7.0.0-rc1", "a"}) {
    EXPECT_TRUE(is_kernel_version(good)) << good;
  }
  for (const char* bad : {"", "..", ".", "../6.1", "6.1/x", "-p", "6.1 x", "6.1\n", "/"}) {
    EXPECT_FALSE(is_kernel_version(bad)) << bad;
  }
}

TEST(UsableVersions, NewestFirstAndOnlyWithKernelAndImage) {
  FakeMachine machine;
  for (const char* version : {"6.1.0-9-amd64", "6.1.0-10-amd64", "6.12.3-amd64"}) {
    machine.install_kernel(version);
    machine.add_image(version);
  }
  machine.add_image("6.99.0-amd64");  // its kernel was removed
  machine.root.write("var/lib/kdump/initrd.img-6.1.0-10-amd64.new", "torn");
  machine.root.write(std::string("var/lib/kdump/initrd.img-") + kRunning, "");
  EXPECT_THAT(usable_versions(machine.reader()),
              ElementsAre("6.12.3-amd64", "6.1.0-10-amd64", "6.1.0-9-amd64"));
}

// From 7.2 on Debian's vmlinuz lies with the modules, and nothing of a kernel need be in /boot.
TEST(UsableVersions, KernelMayLieWithItsModules) {
  FakeMachine machine;
  machine.root.write("usr/lib/modules/7.3.4+deb13-amd64/vmlinuz", "kernel");
  machine.add_image("7.3.4+deb13-amd64");
  machine.root.write("usr/lib/modules/7.3.5+deb13-amd64/modules.order", "");
  machine.add_image("7.3.5+deb13-amd64");  // linux-modules without linux-binary
  EXPECT_THAT(usable_versions(machine.reader()), ElementsAre("7.3.4+deb13-amd64"));
  EXPECT_TRUE(is_installed(machine.reader(), "7.3.5+deb13-amd64"));
}

TEST(UsableVersions, NoneWithoutTheDirectory) {
  FakeMachine machine;
  std::filesystem::remove_all(machine.root.path("var/lib/kdump"));
  EXPECT_THAT(usable_versions(machine.reader()), IsEmpty());
}

}  // namespace
}  // namespace kd
