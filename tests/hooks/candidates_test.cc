// SPDX-License-Identifier: GPL-2.0-or-later
//
// KDUMP_KERNEL_VERSION on a machine with several kernels, from the choice to what is loaded.
#include "hooks/candidates.h"

#include "hooks/estimate.h"
#include "hooks/load.h"
#include "hooks/status.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kCloud = "6.1.0-56-cloud-amd64";
constexpr const char* kOld = "6.1.0-55-amd64";

class Candidates : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* version : {kCloud, kOld}) machine.install_kernel(version);
    machine.needs = {{kCloud, 57}, {kOld, 71}};
    machine.configure("KDUMP_KERNEL_VERSION=smallest\n");
  }
  KernelCandidate examined(const std::string& version, bool signed_only = false) {
    ChoiceInputs inputs = choice_inputs(machine.state());
    inputs.signed_only = signed_only;
    for (KernelCandidate& candidate : examine_kernels(machine.context(), inputs)) {
      if (candidate.version == version) return candidate;
    }
    return {.version = "is not there", .source = {}, .unfit = {}};
  }
  std::string chosen() {
    return choose_capture_kernel(machine.context(), choice_inputs(machine.state())).version;
  }
  std::string loaded_kernel() {
    const Result<void> result = load(machine.context());
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return machine.link_text("vmlinuz");
  }
  FakeMachine machine;
};

TEST_F(Candidates, HaveTheFigureOfTheModelWithItsSource) {
  EXPECT_EQ(examined(kCloud), (KernelCandidate{.version = kCloud,
                                               .needed = std::uint64_t{57} << 20,
                                               .source = std::string("measured for ") + kCloud,
                                               .unfit = {}}));
}

TEST_F(Candidates, AreAskedForTheDumpOfTheRunningKernel) {
  examined(kCloud);
  EXPECT_THAT(machine.runner.calls,
              Contains(ElementsAre("/usr/sbin/kdump-mkinitrd", "--crashed-kernel", kRunning,
                                   "--dry-run", "--json", "--variant", "packed", kCloud)));
}

TEST_F(Candidates, WithoutADriverSayWhich) {
  machine.lacks_driver[kCloud] = "below sda: this kernel has no module 'sym53c8xx'";
  EXPECT_EQ(examined(kCloud).unfit, "below sda: this kernel has no module 'sym53c8xx'");
}

TEST_F(Candidates, ThatCannotCaptureOrRunHereAreNotAsked) {
  machine.root.write(std::string("boot/config-") + kRunning, "CONFIG_X86_64=y\n");
  const auto with_config = [this](const std::string& config) {
    machine.root.write(std::string("boot/config-") + kCloud, config);
    return examined(kCloud).unfit;
  };
  EXPECT_THAT(with_config("CONFIG_X86_64=y\n"), HasSubstr("CONFIG_PROC_VMCORE"));
  EXPECT_THAT(with_config("CONFIG_PROC_VMCORE=y\n"), HasSubstr("another architecture"));
  EXPECT_EQ(with_config("CONFIG_X86_64=y\nCONFIG_PROC_VMCORE=y\n"), "");
  EXPECT_THAT(examined(kCloud, true).unfit, HasSubstr("not signed"));
}

TEST_F(Candidates, AnswerAWatchdogThatIsArmed) {
  machine.root.write("proc/self/mountinfo", "26 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
  const std::string timer = "sys/devices/pci0000:00/wdt";
  machine.root.write(timer + "/watchdog/watchdog0/state", "active\n");
  const auto link = [this](const std::string& path, const std::string& target) {
    std::filesystem::create_directories(
        std::filesystem::path(machine.root.path(path)).parent_path());
    std::filesystem::create_directory_symlink(target, machine.root.path(path));
  };
  machine.root.write("sys/bus/pci/drivers/iTCO_wdt/bind", "");
  machine.root.write("sys/module/iTCO_wdt/refcnt", "0");
  link("sys/bus/pci/drivers/iTCO_wdt/module", "../../../../module/iTCO_wdt");
  link(timer + "/driver", "../../../bus/pci/drivers/iTCO_wdt");
  link(timer + "/subsystem", "../../../bus/pci");
  link("sys/class/watchdog/watchdog0", "../../devices/pci0000:00/wdt/watchdog/watchdog0");
  EXPECT_THAT(examined(kCloud).unfit,
              AllOf(HasSubstr("watchdog0 is armed"), HasSubstr("iTCO_wdt")));
  EXPECT_EQ(examined(kRunning).unfit, "");
  machine.root.write(std::string("lib/modules/") + kCloud + "/modules.builtin",
                     "kernel/drivers/watchdog/iTCO_wdt.ko\n");
  EXPECT_EQ(examined(kCloud).unfit, "");
  EXPECT_THAT(examined(kOld).unfit, HasSubstr("watchdog0"));
  machine.root.write(timer + "/watchdog/watchdog0/state", "inactive\n");
  EXPECT_EQ(examined(kOld).unfit, "");
}

TEST_F(Candidates, OfOneThatIsNamedTheOthersAreNotExamined) {
  machine.configure(std::string("KDUMP_KERNEL_VERSION=") + kOld + "\n");
  EXPECT_EQ(chosen(), kOld);
  EXPECT_EQ(machine.runner.calls.size(), 1U);
  machine.runner.calls.clear();
  machine.configure("");
  EXPECT_EQ(chosen(), kRunning);
  EXPECT_THAT(machine.runner.calls, IsEmpty());
}

TEST_F(Candidates, SmallestIsBuiltForTheRunningKernelLinkedAndLoaded) {
  EXPECT_EQ(loaded_kernel(), std::string("/boot/vmlinuz-") + kCloud);
  EXPECT_EQ(machine.loaded_image, std::string("image ") + kCloud);
  EXPECT_EQ(image_is_for(machine.reader(), kCloud), kRunning);
  EXPECT_THAT(machine.said, HasSubstr("KDUMP_KERNEL_VERSION=smallest: 6.1.0-56-cloud-amd64 needs "
                                      "57M, the running kernel 6.1.0-56-amd64 71M"));
  const StatusFacts facts = *gather_status(machine.context());
  EXPECT_EQ(status_text(facts), "current state   : ready to kdump\n");
  EXPECT_THAT(show_text(facts), HasSubstr("6.1.0-56-cloud-amd64 needs 57M"));
}

TEST_F(Candidates, KernelThatIsInstalledAndNeedsLessIsAReasonToReload) {
  ASSERT_EQ(loaded_kernel(), std::string("/boot/vmlinuz-") + kCloud);
  machine.install_kernel("6.12.1-cloud-amd64");
  machine.needs["6.12.1-cloud-amd64"] = 50;
  ASSERT_TRUE(build(machine.context(), {.installed = "6.12.1-cloud-amd64"}).has_value());
  const StatusFacts facts = *gather_status(machine.context());
  EXPECT_EQ(assess(facts).code, kReadyButStale);
  EXPECT_THAT(status_text(facts), HasSubstr("not to /boot/vmlinuz-6.12.1-cloud-amd64"));
  ASSERT_TRUE(reload(machine.context()).has_value());
  EXPECT_EQ(assess(*gather_status(machine.context())).code, kReady);
}

TEST_F(Candidates, KernelThatTheKernelRefusesLeavesTheRunningOneLoaded) {
  machine.kexec_refuses_image = std::string("image ") + kCloud;
  EXPECT_EQ(loaded_kernel(), std::string("/boot/vmlinuz-") + kRunning);
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_THAT(machine.said,
              AllOf(HasSubstr("kexec: refused the image"),
                    HasSubstr("6.1.0-56-cloud-amd64 cannot be the capture kernel, the "
                              "running kernel 6.1.0-56-amd64 takes its place")));
  EXPECT_EQ(assess(*gather_status(machine.context())).code, kReadyButStale);
}

// kexec has freed what was loaded when it refuses the chosen kernel.
TEST_F(Candidates, WithoutAnImageOfTheRunningKernelTheLoadOfBeforeComesBack) {
  ASSERT_EQ(loaded_kernel(), std::string("/boot/vmlinuz-") + kCloud);
  machine.lacks_driver[kRunning] = "no space left";
  machine.root.write("var/lib/kdump/bad", "bad");
  machine.kexec_refuses_image = "bad";
  const FakeRunner::Program usual = machine.runner.programs["kdump-mkinitrd"];
  machine.runner.programs["kdump-mkinitrd"] = [&](const std::vector<std::string>& argv) {
    if (has(argv, "--dry-run") || argv.back() != kCloud) return usual(argv);
    // Not into the file that is kept as that of the load before.
    std::filesystem::rename(machine.root.path("var/lib/kdump/bad"),
                            machine.root.path("var/lib/kdump/initrd.img-") + kCloud);
    return ProgramOutcome{0, ""};
  };
  const Result<void> result = reload(machine.context());
  ASSERT_FALSE(result.has_value());
  EXPECT_TRUE(machine.state().loaded);
  EXPECT_EQ(machine.loaded_image, std::string("image ") + kCloud);
  EXPECT_THAT(machine.said, HasSubstr("no space left"));
  EXPECT_THAT(result.error().message, HasSubstr("the load before are loaded again"));
}

TEST_F(Candidates, NamedKernelThatIsGoneLeavesTheRunningOneLoadedAndIsSaid) {
  machine.configure("KDUMP_KERNEL_VERSION=6.1.0-9-amd64\n");
  EXPECT_EQ(loaded_kernel(), std::string("/boot/vmlinuz-") + kRunning);
  const StatusFacts facts = *gather_status(machine.context());
  EXPECT_THAT(assess(facts).reasons,
              ElementsAre(HasSubstr("KDUMP_KERNEL_VERSION=6.1.0-9-amd64: it is not installed")));
  EXPECT_EQ(assess(facts).code, kReadyButStale);
}

// Up to 1.7.9 makedumpfile filters the memory of 7.1 too much, whatever kernel it runs on.
TEST_F(Candidates, DumpLevelIsThatOfTheCrashedKernel) {
  machine.root.write("proc/sys/kernel/osrelease", "7.3.4-amd64\n");
  machine.install_kernel("7.3.4-amd64");
  ASSERT_EQ(loaded_kernel(), std::string("/boot/vmlinuz-") + kCloud);
  EXPECT_THAT(machine.said, Not(HasSubstr("would filter the memory"))) << "it was built for 7.3.4";
  machine.add_image(kCloud, true, "6.1.0-56-amd64");
  EXPECT_THAT(assess(*gather_status(machine.context())).reasons,
              Contains(HasSubstr("would filter the memory of 7.3.4-amd64 too much")));
}

TEST_F(Candidates, HookBuildsTheImageOfTheChosenKernelForTheOneThatRunsUntilTheNextBoot) {
  machine.install_kernel("6.1.0-57-amd64");
  ASSERT_TRUE(build(machine.context(), {.installed = "6.1.0-57-amd64"}).has_value());
  EXPECT_EQ(image_is_for(machine.reader(), kCloud), kRunning);
  EXPECT_FALSE(has_image(machine.reader(), "6.1.0-57-amd64"));
  machine.configure("");
  ASSERT_TRUE(build(machine.context(), {.installed = "6.1.0-57-amd64"}).has_value());
  EXPECT_TRUE(has_image(machine.reader(), "6.1.0-57-amd64"));
  EXPECT_EQ(image_is_for(machine.reader(), "6.1.0-57-amd64"), "6.1.0-57-amd64");
}

// Of kernels that need the same that one captures which runs, from the next boot on the new one.
TEST_F(Candidates, HookBuildsTheImageOfTheKernelThatRunsNextWhereNoneNeedsLess) {
  machine.needs.clear();
  machine.install_kernel("6.1.0-57-amd64");
  ASSERT_TRUE(build(machine.context(), {.installed = "6.1.0-57-amd64"}).has_value());
  EXPECT_TRUE(has_image(machine.reader(), "6.1.0-57-amd64"));
}

// Its files may be there while its package is removed.
TEST_F(Candidates, KernelThatWasRemovedIsReplacedByTheNextSmallest) {
  machine.needs[kOld] = 60;
  ASSERT_TRUE(build(machine.context(), {.removed = kCloud}).has_value());
  EXPECT_TRUE(has_image(machine.reader(), kOld));
  EXPECT_FALSE(has_image(machine.reader(), kCloud));
}

TEST_F(Candidates, RemovedKernelIsNothingToASettingThatNamesNone) {
  machine.configure("");
  ASSERT_TRUE(build(machine.context(), {.removed = kCloud}).has_value());
  EXPECT_THAT(machine.runner.calls, IsEmpty());
}

TEST_F(Candidates, FileThatMayBeOfAnotherKernelIsRefusedBesideTheSetting) {
  machine.root.write("boot/special", "kernel");
  machine.configure("KDUMP_KERNEL_VERSION=smallest\nKDUMP_KERNEL=/boot/special\n");
  const Result<void> with_kernel = load(machine.context());
  ASSERT_FALSE(with_kernel.has_value());
  EXPECT_EQ(with_kernel.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(with_kernel.error().message, HasSubstr("KDUMP_KERNEL=/boot/special"));
  machine.configure("KDUMP_KERNEL_VERSION=smallest\nKDUMP_INITRD=/boot/special\n");
  EXPECT_THAT(load(machine.context()).error().message, HasSubstr("KDUMP_INITRD=/boot/special"));
  // Should that kernel be gone, the running one would be loaded with the modules of another.
  machine.configure(std::string("KDUMP_INITRD=/boot/special\nKDUMP_KERNEL_VERSION=") + kOld + "\n");
  EXPECT_THAT(load(machine.context()).error().message, HasSubstr("KDUMP_INITRD=/boot/special"));
}

TEST_F(Candidates, EstimateIsOfTheChosenKernelAndShowsTheOthers) {
  machine.lacks_driver[kOld] = "this kernel has no module 'nvme'";
  const std::string text = estimate(machine.context(), false).value();
  EXPECT_THAT(text, AllOf(HasSubstr("57M is needed"), HasSubstr("> 6.1.0-56-cloud-amd64    57M  "),
                          HasSubstr("  6.1.0-56-amd64          71M  measured for"),
                          HasSubstr("this kernel has no module 'nvme'")));
  machine.configure("");
  EXPECT_THAT(
      estimate(machine.context(), false).value(),
      AllOf(HasSubstr("71M is needed"), HasSubstr("> 6.1.0-56-amd64 "),
            HasSubstr("With KDUMP_KERNEL_VERSION=smallest: 6.1.0-56-cloud-amd64 needs 57M")));
}

}  // namespace
}  // namespace kd
