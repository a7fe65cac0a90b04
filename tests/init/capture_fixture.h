// SPDX-License-Identifier: GPL-2.0-or-later
//
// A capture on a machine that only pretends, with a directory for its target.
#pragma once

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "builder/init/capture.h"
#include "tests/base/temporary_directory.h"

namespace kdinit {

inline constexpr const char* kStamp = "202401020304";

// A machine on which everything works until told otherwise. makedumpfile writes its last argument.
class FakeSystem final : public System {
 public:
  explicit FakeSystem(const TemporaryDirectory& root) : root_(root) {}

  void tick() override {}
  std::uint64_t now_ms() override { return clock_ += 7; }
  std::time_t wall_clock() override { return 1704164640; }  // 2024-01-02 03:04 UTC
  Memory memory() override { return {.total = 100000, .free = 80000, .available = 70000}; }
  Memory take_lowest_memory() override {
    return {.total = 100000, .free = 30000, .available = 20000};
  }
  void print(std::string_view text) override { console += text; }
  int write_sysctl(const char* path, std::string_view value) override {
    sysctls.push_back(std::string(path) + "=" + std::string(value));
    return sysctl_error;
  }
  int load_module(const char* path, const char* options) override {
    modules.push_back(std::string(path) + " " + options);
    return module_errors[path];
  }
  bool wait_for_target(const TargetQuery&, Candidates& found) override {
    found.seen.put("sda -, sdb xfs 1234");
    for (const std::string& device : devices) found.items[found.count++].device.put(device);
    found.members = members;
    found.missing = members > devices.size() ? members - devices.size() : 0;
    return found.count > 0;
  }
  int unpack(const char* path) override {
    unpacked.emplace_back(path);
    return unpack_error;
  }
  int mount(const char* device, const char*, const char* type, const char* options,
            MountUse) override {
    mounts.push_back(std::string(device) + " " + type + " " + options);
    return mount_errors[device];
  }
  int unmount(const char*) override {
    ++unmounts;
    return unmount_error;
  }
  ChildResult run(const Command& command) override {
    Text<1024> line;
    command.arguments.describe(line);
    commands.emplace_back(line.view());
    const std::string output = commands.back().substr(commands.back().rfind(' ') + 1);
    ChildResult result;
    if (commands.back().find("--dump-dmesg") != std::string::npos) {
      result = dmesg_result;
    } else if (!dump_results.empty()) {
      result = dump_results.front();
      dump_results.erase(dump_results.begin());
    }
    if (output.ends_with("dump-incomplete")) largest_files.push_back(command.largest_file);
    if (on_run) on_run(output);
    if (output_appears) std::ofstream(output) << log;
    if (!outputs.empty() && output.ends_with("dump-incomplete")) {
      std::ofstream(output) << outputs.front();
      outputs.erase(outputs.begin());
    }
    if (report_is_blocked) {
      std::filesystem::create_directories(output.substr(0, output.rfind('/')) +
                                          "/kdump-report.json");
    }
    result.max_rss = 4000;
    return result;
  }
  int free_bytes(const char*, std::uint64_t& bytes) override {
    bytes = free;
    return 0;
  }
  std::uint64_t room() override { return pool_room; }
  bool is_full(const char*) override {
    ++full_asked;
    return full;
  }

  std::string console;
  std::vector<std::string> sysctls, modules, mounts, commands;
  std::vector<std::string> devices = {"/dev/sda1"};
  std::size_t members = 1;
  std::map<std::string, int> module_errors, mount_errors;
  std::vector<std::string> unpacked;
  int unpack_error = 0;
  int sysctl_error = 0;
  int unmount_error = 0;
  int unmounts = 0;
  ChildResult dmesg_result;
  std::vector<ChildResult> dump_results;  // one for each run; success once they are used up
  std::function<void(const std::string& output)> on_run;  // before the output appears
  bool output_appears = true;
  std::string log = "line 1\nline 2\n";  // and what a dump holds
  std::vector<std::string> outputs;      // of the dumps; the usual one once they are used up
  bool report_is_blocked = false;        // by a directory of its name
  std::uint64_t free = std::uint64_t{1} << 40;
  std::uint64_t pool_room = kNoLimit;
  std::vector<std::uint64_t> largest_files;  // of the runs that dump
  bool full = false;
  int full_asked = 0;

 private:
  const TemporaryDirectory& root_;
  std::uint64_t clock_ = 1000;
};

inline ChildResult exit_code(int code) {
  ChildResult result;
  result.exit_code = code;
  return result;
}

class CaptureTest : public ::testing::Test {
 protected:
  CaptureTest() {
    root.write("vmcore", std::string(1000, 'v'));
    std::filesystem::create_directories(root.path("tmp"));
    config.kernel = "6.1.0";
    config.target.type = "ext4";
    config.target.uuid = "1234";
    config.dump_directory = "/var/crash";
    config.dump_arguments.push("-c");
    config.retry_arguments.push("-d");
    config.final_action = FinalAction::kPoweroff;
    config.failure_action = FinalAction::kHalt;
  }
  void run() {
    const std::string mount_point = root.path("target"), vmcore = root.path("vmcore"),
                      temporary = root.path("tmp");
    std::filesystem::create_directories(mount_point);
    run_capture(config, system, {mount_point, vmcore, temporary}, report);
  }
  static std::string in_run(const std::string& name) {
    return std::string("target/var/crash/") + kStamp + "/" + name;
  }
  [[nodiscard]] std::vector<std::string> names_in_run() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(root.path(in_run("")))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  nlohmann::json saved_report() const {
    return nlohmann::json::parse(root.read(in_run("kdump-report.json")));
  }
  TemporaryDirectory root;
  FakeSystem system{root};
  InitConfig config;
  Report report;
  nlohmann::json before_stall;
};

}  // namespace kdinit
