// SPDX-License-Identifier: GPL-2.0-or-later
//
// Machines as proc, sys and etc show them, each with the record NAME.json that is made of it.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/facts/fake_root.h"

namespace kd {

struct FakeMachine {
  std::string name;
  std::function<void(FakeRoot&)> build;
  // The folder of its record below tests; "facts/gathered" is for the tests of gathering alone.
  std::string records = "machines";
  friend void PrintTo(const FakeMachine& machine, std::ostream* out) { *out << machine.name; }
};

const std::vector<FakeMachine>& fake_machines();

// The parts, for tests that want one thing different.
void add_small_files(FakeRoot& root);  // proc, localtime
void add_virtio_disk(FakeRoot& root, const std::string& name, const std::string& number);
void add_partition(FakeRoot& root, const std::string& disk_path, const std::string& name,
                   const std::string& number);
void mounts(FakeRoot& root, const std::string& mountinfo);  // proc and sys are added

}  // namespace kd
