// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/dump_program.h"

#include <gtest/gtest.h>

#include "builder/base/rooted_reader.h"
#include "builder/base/runner.h"
#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

class DumpProgram : public testing::Test {
 protected:
  std::string version_of(const std::string& content) {
    root_.write("usr/bin/makedumpfile", content);
    return makedumpfile_version(*RootedReader::open(root_.path()));
  }
  TemporaryDirectory root_;
};

TEST_F(DumpProgram, VersionLiesInTheFile) {
  EXPECT_EQ(version_of(std::string("\x7f"
                                   "ELF\0junk\0",
                                   10) +
                       "makedumpfile: version 1.7.9++ (released on 20 Apr 2026)\n"),
            "1.7.9++");
}

TEST_F(DumpProgram, NothingIsMadeUp) {
  EXPECT_EQ(makedumpfile_version(*RootedReader::open(root_.path())), "") << "no program";
  for (const std::string& content :
       {std::string(), std::string("#!/bin/sh\nexec real-makedumpfile\n"),
        std::string("makedumpfile: version "), std::string("makedumpfile: version 1.7.2"),
        "makedumpfile: version " + std::string(100, '1')}) {
    EXPECT_EQ(version_of(content), "") << content;
  }
}

TEST_F(DumpProgram, TextMayLieAcrossTwoBlocks) {
  const std::string text = "makedumpfile: version 1.7.2 (released)";
  for (std::size_t before = 0; before <= text.size(); ++before) {
    const std::string junk((128 << 10) - before, 'm');
    EXPECT_EQ(version_of(junk + text + junk), "1.7.2") << before;
  }
}

// What the program itself prints is the judge.
TEST_F(DumpProgram, IsWhatTheProgramPrints) {
  const std::string version = makedumpfile_version(*RootedReader::open("/"));
  if (version.empty()) GTEST_SKIP() << "makedumpfile is not installed";
  SystemRunner runner;
  const Result<ProgramOutcome> printed = runner.run({*runner.find("makedumpfile"), "-v"});
  ASSERT_TRUE(printed.has_value());
  EXPECT_NE(printed->output.find("version " + version + " (released"), std::string::npos)
      << printed->output;
}

}  // namespace
}  // namespace kd
