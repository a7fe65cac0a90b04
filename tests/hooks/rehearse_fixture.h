// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>

#include "hooks/rehearsal_crash.h"
#include "hooks/rehearse.h"
#include "hooks/status.h"
#include "tests/hooks/fake_machine.h"

namespace kd {

inline constexpr const char* kFirstBoot = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
inline constexpr const char* kSecondBoot = "2b4e28ba-2fa1-11d2-883f-0016d3cca427";
inline constexpr const char* kRun = "202311281307";

// A machine with a kdump kernel loaded, run by systemd.
class Rehearse : public testing::Test {
 protected:
  Rehearse() {
    machine.root.write("run/systemd/system/x", "");
    machine.root.write("usr/lib/systemd/system-shutdown/kdump-tools.shutdown", "");
    machine.root.write("proc/sysrq-trigger", "");
    machine.root.write("proc/sys/kernel/printk_devkmsg", "on\n");
    machine.runner.programs["systemctl"] = [this](const std::vector<std::string>& argv) {
      if (argv[1] == "stop") {
        EXPECT_TRUE(begin_rehearsal(machine.context()));
      }
      return ProgramOutcome{0, has(argv, "reboot.target") ? job + "\n" : ""};
    };
    machine.runner.paths["../lib/kdump-mkinitrd/kdump-verify"] = "/usr/lib/kdump-verify";
    machine.runner.programs["kdump-verify"] = [this](const std::vector<std::string>& argv) {
      const auto record = std::ranges::find(argv, "--record");
      std::ofstream(*(record + 1))
          << nlohmann::json{{"bytes", std::filesystem::file_size(argv.back())},
                            {"result", verdict},
                            {"reason", verdict == "whole" ? "" : "page 0x5"}};
      return ProgramOutcome{0, ""};
    };
    boot(kFirstBoot);
  }
  // What is in /run and the kernel is new; the links and the image are there.
  void boot(const char* id) {
    std::filesystem::remove_all(machine.root.path("run/kdump"));
    machine.root.write("proc/sys/kernel/random/boot_id", std::string(id) + "\n");
    machine.root.write("proc/sysrq-trigger", "");
    machine.root.write("dev/kmsg", "");
    machine.set_loaded(false);
    machine.said.clear();
    ASSERT_TRUE(load(machine.context()));
  }
  // The way of systemd: the unit is stopped, then everything ends.
  void shut_down(const std::string& verb) {
    job = verb == "reboot" ? "123" : "0";
    ASSERT_TRUE(begin_rehearsal(machine.context()));
    crash_for_rehearsal(machine.reader(), verb, 0);
  }
  [[nodiscard]] bool crashed() const { return machine.root.read("proc/sysrq-trigger") == "c"; }
  // What the capture leaves. The kernel keeps a time in the place of the level "<2>".
  void capture(const std::string& result = "saved") const {
    const std::string run = std::string("var/crash/") + kRun + "/";
    const std::string log = machine.root.read("dev/kmsg");
    machine.root.write(run + "dmesg." + kRun, "[    9.5] " + log.substr(log.find('>') + 1));
    machine.root.write(run + "dump." + kRun, "a dump");
    machine.root.write(
        run + "kdump-report.json",
        fmt::format(R"({{"version": 1, "result": "{}", "kernel": "{}", "image_kernel": "{}",
          "profile": "tuned", "stamp": "{}", "failed_step": "", "error": "", "dump_bytes": 6,
          "memory": {{"map_kib": 131056, "total_kib": 76300, "start_free_kib": 57000,
          "start_cached_kib": 7000, "lowest_available_kib": 50000}}, "steps": [{{"name": "dump",
          "start_ms": 1000, "end_ms": 3000, "lowest_available_kib": 50000}}]}})",
                    result, kRunning, kRunning, kRun));
  }
  [[nodiscard]] std::string text() {
    const auto facts = gather_status(machine.context());
    return facts && facts->rehearsal ? facts->rehearsal->text : "none";
  }
  [[nodiscard]] bool exists(const std::string& path) const {
    return std::filesystem::exists(machine.root.path(path));
  }
  [[nodiscard]] std::vector<std::string> crash_directory() const {
    return *machine.reader().list("/var/crash");
  }

  // A capture made it, and somebody else owns it.
  void give_away(const std::string& path) const {
    ASSERT_EQ(::chown(machine.root.path(path).c_str(), 65534, 65534), 0);
  }

  FakeMachine machine;
  std::string job = "0", verdict = "whole";
};

}  // namespace kd
