// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <array>

#include "builder/init/console.h"
#include "builder/init/guard.h"
#include "builder/init/handover.h"

namespace kdinit {

// The real machine, with init as PID 1 and /proc mounted.
class LinuxSystem final : public RootSystem {
 public:
  int start_guard(std::uint32_t timeout_seconds, const GuardPlaces& places = {}) {
    return guard_.start(timeout_seconds, places);
  }
  void set_stall_timeout(std::uint32_t seconds) { guard_.set_timeout(seconds); }
  void stop_guard() { guard_.stop(); }
  // The guard ends a restart that waits for a driver.
  [[noreturn]] void end(FinalAction action);

  void tick() override;
  std::uint64_t now_ms() override;
  std::time_t wall_clock() override;
  Memory memory() override;
  Memory take_lowest_memory() override;
  void print(std::string_view text) override;
  int write_sysctl(const char* path, std::string_view value) override;
  int load_module(const char* path, const char* options) override;
  int unpack(const char* path) override;
  bool wait_for_target(const TargetQuery& query, Candidates& found) override;
  int mount(const char* device, const char* directory, const char* type, const char* options,
            MountUse use) override;
  int unmount(const char* directory) override;
  std::uint64_t room() override;
  ChildResult run(const Command& command) override;
  int free_bytes(const char* directory, std::uint64_t& bytes) override;
  bool is_full(const char* file) override;
  int move_mount(const char* from, const char* to) override;
  int switch_root(const char* directory) override;
  int run_init(const char* path) override;

 private:
  Guard guard_;
  Console console_{STDERR_FILENO};
  Memory lowest_;
  std::array<char, 128> data_device_{};  // that is mounted for the dump
};

// Reads at most `capacity` bytes of a file into `buffer`; returns what was read, empty on error.
std::string_view read_file(const char* path, char* buffer, std::size_t capacity);

}  // namespace kdinit
