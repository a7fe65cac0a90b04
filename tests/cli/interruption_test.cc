// SPDX-License-Identifier: GPL-2.0-or-later
//
// A build that is killed, or that meets another build, never damages the image.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "tests/cli/build_fixture.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

TEST_F(BuildTest, KilledAtRandomMomentsTheOldOrTheNewImageIsThere) {
  ASSERT_EQ(build({"-c", "lz4"}).exit_code, 0);
  const std::string other = read_file(image());
  const auto start_time = std::chrono::steady_clock::now();
  ASSERT_EQ(build({"--force", "-c", "none"}).exit_code, 0);
  const std::chrono::microseconds duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start_time);
  const std::string one = read_file(image());

  // From the start to a little after the end, however fast the machine is.
  std::mt19937 random(1);
  std::uniform_int_distribution<useconds_t> moment(
      0, static_cast<useconds_t>(duration.count() * 5 / 4));
  int killed = 0;
  for (int i = 0; i < 200; ++i) {
    const pid_t pid = start(command({"--force", "-c", i % 2 == 0 ? "none" : "lz4"}));
    ASSERT_GT(pid, 0);
    usleep(moment(random));
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) ++killed;
    const std::string now = read_file(image());
    ASSERT_TRUE(now == one || now == other) << "run " << i << ": " << now.size() << " bytes";
  }
  EXPECT_GT(killed, 20) << "the builds were over before they were killed";

  // The next build cleans up what they left.
  ASSERT_EQ(build({"--force", "-c", "lz4"}).exit_code, 0);
  EXPECT_EQ(read_file(image()), other);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry :
       fs::directory_iterator(fs::path(image()).parent_path())) {
    ++files;
  }
  EXPECT_EQ(files, 2U) << "only the image and its manifest";
}

TEST_F(BuildTest, TwoAtOnceBothSucceed) {
  for (int round = 0; round < 5; ++round) {
    const pid_t first = start(command({"--force"}));
    const pid_t second = start(command({"--force"}));
    for (const pid_t pid : {first, second}) {
      int status = 0;
      ASSERT_EQ(waitpid(pid, &status, 0), pid);
      EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(build({"--check"}).exit_code, 0);
  }
}

}  // namespace
}  // namespace kd
