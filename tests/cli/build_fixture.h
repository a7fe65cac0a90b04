// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "builder/facts/machine_json.h"
#include "tests/base/temporary_directory.h"
#include "tests/cli/command.h"
#include "tests/machine_fixture.h"

namespace kd {

// Builds images of the first real kernel for the small virtio machine.
class BuildTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<TestKernel> kernels = test_kernels();
    if (kernels.empty()) GTEST_SKIP() << "KD_KERNELS names no kernel";
    kernel_ = kernels.front();
    use_machine(virtio_machine());
    write_text(config(), "USE_KDUMP=1\n");
  }

  void use_machine(const MachineFacts& machine) { write_text(facts(), machine_to_json(machine)); }

  [[nodiscard]] std::string facts() const { return scratch_.path("machine.json"); }
  [[nodiscard]] std::string config() const { return scratch_.path("kdump-tools"); }
  [[nodiscard]] std::string image() const { return scratch_.path("out/initrd.img"); }

  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> more = {}) const {
    std::filesystem::create_directories(scratch_.path("out"));
    std::vector<std::string> words = {KD_MKINITRD, "--facts",       facts(),      "--config",
                                      config(),    "--kernel-root", kernel_.root, "-o",
                                      image(),     kernel_.version};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  [[nodiscard]] RunResult build(const std::vector<std::string>& more = {}) const {
    return run(command(more));
  }

  TemporaryDirectory scratch_;
  TestKernel kernel_;
};

}  // namespace kd
