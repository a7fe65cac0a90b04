// SPDX-License-Identifier: GPL-2.0-or-later
//
// The shipped rule, judged by udevadm(8): it reads the rules of /usr/lib/udev and devices of /sys,
// the first of which are ours in a mount namespace of their own; the devices are this machine's.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "builder/base/runner.h"
#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kReload = "run: '/usr/bin/systemd-run --quiet --no-block /usr/sbin/";

class UdevRule : public testing::Test {
 protected:
  void SetUp() override {
    if (!runner_.find("udevadm") || !runner_.find("unshare")) GTEST_SKIP() << "no udev here";
    std::filesystem::create_directory(scratch_.path("rules"));
    std::filesystem::copy_file(KD_SOURCE_DIR "/hooks/50-kdump-tools.rules",
                               scratch_.path("rules/50-kdump-tools.rules"));
    // A rule that always matches tells whether anything can be judged here.
    scratch_.write("rules/99-seen.rules", "RUN+=\"/seen\"\n");
    if (const std::string output = after("add", "cpu"); output.find("'/seen'") == output.npos) {
      GTEST_SKIP() << "no udevadm test in a mount namespace here: " << output;
    }
  }

  // Whether the kernel keeps the description of the crash kernel right by itself (Linux 6.5).
  [[nodiscard]] static bool follows(const std::string& subsystem) {
    std::string value;
    std::ifstream("/sys/devices/system/" + subsystem + "/crash_hotplug") >> value;
    return value == "1";
  }

  // What udevadm would do after an event of the first device of `subsystem`.
  [[nodiscard]] std::string after(const std::string& action, const std::string& subsystem) {
    const std::string script =
        "set -e; cd \"$0\"; mount --bind rules /usr/lib/udev/rules.d\n"
        "[ ! -d /etc/udev/rules.d ] || mount -t tmpfs none /etc/udev/rules.d\n"
        "udevadm test -a $1 /sys/devices/system/$2/${2}0 2>&1";
    const Result<ProgramOutcome> outcome =
        runner_.run({runner_.find("unshare").value(), "-rm", "/bin/sh", "-c", script,
                     scratch_.path(), action, subsystem});
    return outcome ? outcome->output : outcome.error().message;
  }

  TemporaryDirectory scratch_;
  SystemRunner runner_;
};

TEST_F(UdevRule, ChangedCpusAndMemoryLoadTheCrashKernelAgain) {
  const auto expect = [this](const std::string& subsystem, std::vector<std::string> actions) {
    if (!std::filesystem::exists("/sys/devices/system/" + subsystem + "/" + subsystem + "0"))
      return;
    for (const std::string& action : actions) {
      const auto reload =
          HasSubstr(kReload + ("kdump-config try-reload --hotplug " + subsystem + "'"));
      if (follows(subsystem)) {
        EXPECT_THAT(after(action, subsystem), Not(reload)) << action;
      } else {
        EXPECT_THAT(after(action, subsystem), reload) << action;
      }
    }
  };
  expect("cpu", {"add", "remove", "online"});
  expect("memory", {"online", "offline"});
}

// A block of memory that is added is not used yet.
TEST_F(UdevRule, OtherEventsAreNoChange) {
  EXPECT_THAT(after("add", "memory"), Not(HasSubstr("kdump-config")));
  EXPECT_THAT(after("change", "cpu"), Not(HasSubstr("kdump-config")));
  EXPECT_THAT(after("add", "cpu"), Not(HasSubstr("nvalid"))) << "udev understands every line";
}

// As the kernel marks what is written to the file uevent.
TEST_F(UdevRule, EventsThatUdevadmTriggersAreNoChange) {
  scratch_.write("rules/10-synthetic.rules", "ENV{SYNTH_UUID}=\"0\"\n");
  EXPECT_THAT(after("add", "cpu"), Not(HasSubstr("kdump-config")));
  EXPECT_THAT(after("online", "memory"), Not(HasSubstr("kdump-config")));
}

}  // namespace
}  // namespace kd
