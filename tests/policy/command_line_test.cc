// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/command_line.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr const char* kRestarts = " panic=10 systemd.crash_reboot";

// The running line goes through, nothing but "X" is appended before what is on every line.
std::string after(const std::string& running) {
  const std::string text = capture_command_line({.running = running, .append = "X"}).text;
  EXPECT_THAT(text, EndsWith(kRestarts));
  return text.substr(0, text.rfind(kRestarts));
}

CommandLineInputs tuned(const std::string& kernel = "6.1.0-56-amd64") {
  return {.running = "ro", .kernel = kernel, .usb_needed = false, .ram = std::uint64_t{1} << 30};
}

std::vector<std::string> parameters_of(const CommandLineInputs& inputs) {
  return split_parameters(capture_command_line(inputs).text);
}

struct RunningCase {
  const char* name;
  const char* running;
  const char* expected;
};
class CommandLineRunning : public testing::TestWithParam<RunningCase> {};

TEST_P(CommandLineRunning, Becomes) { EXPECT_EQ(after(GetParam().running), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    Cases, CommandLineRunning,
    testing::Values(
        RunningCase{"Empty", "", "X"},  //
        RunningCase{"OnlyBlanks", " \t \n", "X"}, RunningCase{"Newline", "ro\n", "ro X"},
        RunningCase{"CrashkernelFirst", "crashkernel=128M ro", "ro X"},
        RunningCase{"CrashkernelLast", "ro crashkernel=128M", "ro X"},
        RunningCase{"CrashkernelRanges", "ro crashkernel=512M-:192M,high root=/dev/vda1",
                    "ro root=/dev/vda1 X"},
        RunningCase{"CrashkernelRepeated",
                    "crashkernel=1G,high ro crashkernel=72M,low crashkernel=64M,cma", "ro X"},
        RunningCase{"CrashkernelQuoted", "\"crashkernel=128M\" ro", "ro X"},
        RunningCase{"NotCrashkernelDebug", "crashkernel_debug=1 xcrashkernel=2",
                    "crashkernel_debug=1 xcrashkernel=2 X"},
        RunningCase{"Hugepages",
                    "default_hugepagesz=1G hugepagesz=1G hugepages=8 hugepagesz=2M hugepages=64 ro",
                    "ro X"},
        RunningCase{"OneHugepageParameterInTheMiddle", "a hugepages=64 b", "a b X"},
        RunningCase{"DashIsUnderscore", "panic-on-warn=1 log-buf-len=64M ro", "ro X"},
        RunningCase{"BootLoader", "BOOT_IMAGE=/vmlinuz-6.1 abm=1 initrd=\\initrd.img ro", "ro X"},
        RunningCase{"ConsolesKeepTheirOrder", "console=tty0 console=ttyS0,115200n8",
                    "console=tty0 console=ttyS0,115200n8 X"},
        RunningCase{"SameParameterTwice", "dyndbg=a dyndbg=a", "dyndbg=a dyndbg=a X"},
        RunningCase{"QuotedBlanks", "dyndbg=\"file ec.c +p\" ro", "dyndbg=\"file ec.c +p\" ro X"},
        RunningCase{"QuoteAtTheStart", "\"a=b c\" ro", "\"a=b c\" ro X"},
        RunningCase{"QuoteInTheMiddle", "a=b\" c \"d ro", "a=b\" c \"d ro X"},
        RunningCase{"CrashkernelInsideQuotesIsAValue", "note=\"no crashkernel=1G here\"",
                    "note=\"no crashkernel=1G here\" X"},
        RunningCase{"OpenQuoteDoesNotSwallow", "ro a=\"b c", "ro a=\"b c\" X"},
        RunningCase{"SingleQuotesAreNoQuotes", "a='b crashkernel=1 c'", "a='b c' X"},
        RunningCase{"BackslashIsText", "a=\\\"b c\\\" ro", "a=\\\"b c\\\" ro X"},
        RunningCase{"CommandSubstitution", "a=$(reboot) b=`reboot`", "a=$(reboot) b=`reboot` X"},
        RunningCase{"ShellOperators", "a;reboot b&&c d|e >/etc/passwd",
                    "a;reboot b&&c d|e >/etc/passwd X"},
        RunningCase{"Variables", "a=$HOME b=${x} c=*", "a=$HOME b=${x} c=* X"},
        RunningCase{"EndOfParameters", "ro -- single verbose", "ro X"},
        RunningCase{"InstallersDashes", "ro --- quiet", "ro --- X"},
        RunningCase{"InitOfTheImage", "rdinit=/bin/sh init=/sbin/init", "init=/sbin/init X"},
        RunningCase{"Hibernation", "resume=/dev/sda2 resume_offset=34 noresume", "noresume X"},
        RunningCase{"Memory", "slub_debug=FZP page_owner=on log_buf_len=16M swiotlb=262144 mem=8G",
                    "mem=8G X"},
        RunningCase{"Panics",
                    "panic_on_warn panic_on_warn=1 softlockup_panic=1 hung_task_panic=1 oops=panic",
                    "oops=panic X"},
        RunningCase{"NmiWatchdogThatPanics", "nmi_watchdog=panic nmi_watchdog=panic,1 ro", "ro X"},
        RunningCase{"NmiWatchdogThatDoesNot", "nmi_watchdog=0 nmi_watchdog=nopanic,1",
                    "nmi_watchdog=0 nmi_watchdog=nopanic,1 X"},
        RunningCase{"Console", "quiet splash loglevel=3", "loglevel=3 X"},
        RunningCase{"NonAscii", "a=\xc3\xa4\xff ro", "a=\xc3\xa4\xff ro X"},
        RunningCase{"OfACaptureKernel", "elfcorehdr=0x2d000000 ro", "ro X"}),
    [](const auto& test) { return test.param.name; });

TEST(CommandLine, SaysWhatIsRemovedAndWhy) {
  const auto line = capture_command_line({.running = "crashkernel=1G ro quiet -- x y"});
  ASSERT_EQ(line.removed.size(), 3U);
  EXPECT_EQ(line.removed[0].parameter, "crashkernel=1G");
  EXPECT_THAT(line.removed[0].reason, HasSubstr("reservation"));
  EXPECT_EQ(line.removed[1].parameter, "quiet");
  EXPECT_EQ(line.removed[2].parameter, "-- x y");
}

TEST(CommandLine, FixedLineIsUsedAsItIs) {
  const auto line = capture_command_line({.running = "root=/dev/vda1",
                                          .fixed = "root=/dev/sdb1  crashkernel=1M quiet",
                                          .append = "X"});
  EXPECT_EQ(line.text, "root=/dev/sdb1 crashkernel=1M quiet X panic=10 systemd.crash_reboot");
  EXPECT_THAT(line.removed, IsEmpty());
}

TEST(CommandLine, AppendReplacesTheProfile) {
  const auto line = capture_command_line({.running = "ro", .append = "nr_cpus=2 a=\"b c\""});
  EXPECT_EQ(line.text, "ro nr_cpus=2 a=\"b c\" panic=10 systemd.crash_reboot");
  ASSERT_EQ(line.added.size(), 4U);
  EXPECT_EQ(line.added[0], (CommandLineRow{"nr_cpus=2", "KDUMP_CMDLINE_APPEND"}));
  EXPECT_EQ(line.added[1], (CommandLineRow{"a=\"b c\"", "KDUMP_CMDLINE_APPEND"}));
}

TEST(CommandLine, AppendedTextIsNoShell) {
  EXPECT_EQ(capture_command_line({.running = "ro", .append = "$(reboot) ; `id`"}).text,
            "ro $(reboot) ; `id` panic=10 systemd.crash_reboot");
}

TEST(CommandLine, StockIsTheLineOfKdumpTools) {
  EXPECT_EQ(
      capture_command_line({.running = "ro", .profile = "stock", .usb_needed = false}).text,
      "ro reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb "
      "panic=10 systemd.crash_reboot");
}

TEST(CommandLine, EveryProfileRestartsACaptureThatPanics) {
  for (const char* profile : {"stock", "tuned"}) {
    for (const bool rootfs : {false, true}) {
      const auto line = capture_command_line(
          {.running = "panic=0 systemd.crash_reboot=no", .profile = profile, .rootfs = rootfs});
      const std::vector<std::string> parameters = split_parameters(line.text);
      // The last one holds, for the kernel as for systemd.
      const auto last = [&](const char* name) {
        return *std::find_if(parameters.rbegin(), parameters.rend(),
                             [&](const auto& word) { return parameter_name(word) == name; });
      };
      EXPECT_EQ(last("panic"), "panic=10") << profile << rootfs;
      EXPECT_EQ(last("systemd.crash_reboot"), "systemd.crash_reboot") << profile << rootfs;
    }
  }
}

TEST(CommandLine, AppendOfKdumpToolsRestartsACaptureThatPanicsAsWell) {
  EXPECT_EQ(capture_command_line({.running = "ro panic=0", .append = "nr_cpus=1"}).text,
            "ro panic=0 nr_cpus=1 panic=10 systemd.crash_reboot");
  EXPECT_EQ(
      capture_command_line({.running = "ro", .append = "panic=0 systemd.crash-reboot=no"}).text,
      "ro panic=0 systemd.crash-reboot=no")
      << "what it names is obeyed";
}

TEST(CommandLine, UsbStaysOnWhenItMayBeNeeded) {
  for (const char* profile : {"stock", "tuned"}) {
    EXPECT_THAT(parameters_of({.profile = profile, .usb_needed = true}),
                Not(Contains("usbcore.nousb")));
    EXPECT_THAT(parameters_of({.profile = profile, .usb_needed = false}),
                Contains("usbcore.nousb"));
  }
}

TEST(CommandLine, TunedProfileOfADirectCapture) {
  EXPECT_EQ(capture_command_line(tuned()).text,
            "ro reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll "
            "usbcore.nousb panic=10 systemd.crash_reboot "
            "initcall_blacklist=tracer_init_tracefs initcall_blacklist=slab_sysfs_init no5lvl "
            "cryptomgr.notests percpu_alloc=page cgroup_disable=memory cgroup.memory=nokmem "
            "lsm=capability apparmor=0 audit=0 ipv6.disable=1 numa=off "
            "transparent_hugepage=never novmcoredd hest_disable nokaslr rootfstype=ramfs");
}

// A disk with integrity metadata could not be read without the buffers.
TEST(CommandLineTuned, IntegrityBuffersAreLeftOutWhereNoDiskHasSuchMetadata) {
  CommandLineInputs inputs = tuned("7.3.4+deb14-amd64");
  EXPECT_THAT(parameters_of(inputs), Not(Contains(kWithoutIntegrityPools))) << "nobody knows";
  inputs.no_integrity = true;
  EXPECT_THAT(parameters_of(inputs), Contains(kWithoutIntegrityPools));
  inputs.kernel = "6.12.118+deb13-amd64";
  EXPECT_THAT(parameters_of(inputs), Not(Contains(kWithoutIntegrityPools)));
  inputs = tuned("7.3.4+deb14-amd64");
  inputs.no_integrity = true;
  inputs.profile = "stock";
  EXPECT_THAT(parameters_of(inputs), Not(Contains(kWithoutIntegrityPools)));
}

TEST(CommandLineInputs, NoIntegrityIsWhatEveryDiskSaid) {
  MachineFacts machine;
  for (const char* format : {"", "T10-DIF-TYPE1-CRC"}) {
    machine.disk_integrity = format;
    EXPECT_FALSE(command_line_inputs(machine, {}, "7.3.4").no_integrity) << format;
  }
  machine.disk_integrity = "none";
  EXPECT_TRUE(command_line_inputs(machine, {}, "7.3.4").no_integrity);
}

TEST(CommandLine, TracefsIsOnlyLeftOutWhereItIsExpensive) {
  constexpr const char* kRow = "initcall_blacklist=tracer_init_tracefs";
  for (const char* old : {"5.10.0-9-amd64", "6.1.0-56-amd64", "6.5.13", "6.5", "4.19.0"}) {
    EXPECT_THAT(parameters_of(tuned(old)), Contains(kRow)) << old;
  }
  for (const char* other : {"6.6.0", "6.12.107+deb13-amd64", "6.6-rc1", "7.0.1", "10.1", "", "x"}) {
    EXPECT_THAT(parameters_of(tuned(other)), Not(Contains(kRow))) << other;
  }
}

TEST(CommandLine, FiveLevelsStayWhereFourMayNotReachAllMemory) {
  CommandLineInputs inputs = tuned();
  for (const std::uint64_t ram : {std::uint64_t{0}, std::uint64_t{48} << 40}) {
    inputs.ram = ram;
    EXPECT_THAT(parameters_of(inputs), Not(Contains("no5lvl"))) << ram;
  }
  inputs.ram = std::uint64_t{12} << 40;
  EXPECT_THAT(parameters_of(inputs), Contains("no5lvl"));
}

TEST(CommandLine, LockdownStaysInTheListOfSecurityModules) {
  CommandLineInputs inputs = tuned();
  inputs.lockdown = true;
  EXPECT_THAT(parameters_of(inputs), Not(Contains(StartsWith("lsm="))));
}

TEST(CommandLine, RealRootGetsItsUnitAndKeepsWhatSystemdNeeds) {
  CommandLineInputs inputs = tuned();
  inputs.rootfs = true;
  const std::vector<std::string> parameters = parameters_of(inputs);
  EXPECT_THAT(parameters, Contains("systemd.unit=kdump-tools-dump.service"));
  for (const char* breaking :
       {"lsm=", "ipv6.", "cgroup", "rootfstype=", "cryptomgr", "apparmor=", "audit="}) {
    EXPECT_THAT(parameters, Not(Contains(StartsWith(breaking))));
  }
  EXPECT_THAT(parameters, Contains("percpu_alloc=page"));
}

TEST(CommandLine, EncryptedMemoryStaysReadable) {
  // With host memory encryption only a capture kernel that uses it too can read the crashed one.
  CommandLineInputs inputs = tuned();
  inputs.running = "mem_encrypt=on";
  EXPECT_THAT(capture_command_line(inputs).text, StartsWith("mem_encrypt=on "));
  EXPECT_THAT(capture_command_line(inputs).text, Not(HasSubstr("mem_encrypt=off")));
}

TEST(CommandLine, ManualHasEveryRowOfTheProfile) {
  std::ostringstream manual;
  manual << std::ifstream(KD_SOURCE_DIR "/hooks/kdump-tools.5.scd").rdbuf();
  // Other settings name some of them as well.
  const std::string table = manual.str().substr(manual.str().find("# THE TUNED PROFILE"));
  for (const CommandLineRow& row : capture_command_line(tuned()).added) {
    EXPECT_THAT(table, HasSubstr(row.parameter));
  }
}

TEST(CommandLine, EveryRowHasAReason) {
  const auto line = capture_command_line(tuned());
  EXPECT_THAT(line.added, testing::Each(Field(&CommandLineRow::reason, Not(IsEmpty()))));
}

TEST(CommandLine, ProfileComesLastSoThatItWins) {
  CommandLineInputs inputs = tuned();
  inputs.running = "nr_cpus=64 rootfstype=ext4";
  EXPECT_THAT(capture_command_line(inputs).text, EndsWith(" rootfstype=ramfs"));
  EXPECT_THAT(capture_command_line(inputs).text, StartsWith("nr_cpus=64 rootfstype=ext4 "));
}

TEST(CommandLine, ControlCharactersDoNotReachTheKernel) {
  EXPECT_THAT(split_parameters(std::string_view("a=\"b\nc\" d\0e f", 14)),
              ElementsAre("a=\"b c\"", "d", "e", "f"));
}

struct Blacklist {
  std::string_view line;
  std::set<std::string> names;
};

const Blacklist kHidden[] = {
    {"ro modprobe.blacklist=a,b_c quiet", {"a", "b_c"}},
    {"modprobe.blacklist=a modprobe.blacklist=,b,", {"a", "b"}},
    {"modprobe.blacklist=b-c", {"b-c"}},
    {"modprobe.blacklist_x=a mod-probe.blacklist=b blacklist=c modprobe.blacklist", {}},
};

TEST(CommandLine, NamesWhatModprobeHides) {
  for (const Blacklist& one : kHidden) {
    EXPECT_EQ(modprobe_blacklist(one.line), one.names) << one.line;
  }
}

// It reads /proc/cmdline, which only a mount namespace can replace.
TEST(CommandLine, ModprobeItselfHidesTheSame) {
  if (std::system("unshare -rm mount --bind /dev/null /proc/cmdline 2>/dev/null") != 0) {
    GTEST_SKIP() << "needs a mount namespace";
  }
  const TemporaryDirectory scratch;
  const std::string command = "unshare -rm sh -c 'mount --bind " + scratch.path("line") +
                              " /proc/cmdline && modprobe -C /dev/null --showconfig'";
  for (const Blacklist& one : kHidden) {
    scratch.write("line", one.line);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    ASSERT_NE(pipe, nullptr);
    std::set<std::string> names;
    char name[128];
    for (char line[1024]; ::fgets(line, sizeof line, pipe.get()) != nullptr;) {
      if (std::sscanf(line, "blacklist %127s", name) == 1) names.insert(name);
    }
    EXPECT_EQ(names, one.names) << one.line;
  }
}

TEST(CommandLine, NamesWhatTheKernelRefuses) {
  const Blacklist cases[] = {
      {"module_blacklist=a,b_c ro", {"a", "b_c"}},
      {"module-blacklist=\"a,b\"", {"a", "b"}},
      {"\"module_blacklist=a,b\"", {"a", "b"}},
      {"module_blacklist=a module_blacklist=b", {"b"}},  // param_set_charp() keeps the last
      {"modprobe.blacklist=a -- module_blacklist=b", {}},
  };
  for (const Blacklist& one : cases) EXPECT_EQ(module_blacklist(one.line), one.names) << one.line;
}

}  // namespace
}  // namespace kd
