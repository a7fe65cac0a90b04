// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/dump_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "builder/base/fd.h"
#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class NoTicker final : public Ticker {
 public:
  void tick() override { ++ticks; }
  int ticks = 0;
};

std::string stamp_of(std::time_t time, const char* zone) {
  Text<16> stamp;
  put_stamp(time, zone, stamp);
  return std::string(stamp.view());
}

TEST(Stamp, FollowsTheTimeZoneAndItsSummerTime) {
  constexpr std::time_t kWinter = 1704067200;  // 2024-01-01 00:00 UTC
  constexpr std::time_t kSummer = 1719792000;  // 2024-07-01 00:00 UTC
  constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
  EXPECT_EQ(stamp_of(kWinter, ""), "202401010000");
  EXPECT_EQ(stamp_of(kWinter, "UTC0"), "202401010000");
  EXPECT_EQ(stamp_of(kWinter, kBerlin), "202401010100");
  EXPECT_EQ(stamp_of(kSummer, kBerlin), "202407010200");
  EXPECT_EQ(stamp_of(kWinter, "EST5EDT,M3.2.0,M11.1.0"), "202312311900");
  EXPECT_EQ(stamp_of(kWinter, "<+0545>-5:45"), "202401010545");
  EXPECT_EQ(stamp_of(0, ""), "197001010000");
}

TEST(RunName, IsTwelveDigitsWithAnOptionalNumber) {
  for (const char* name : {"202401020304", "197001010000", "202401020304-1", "202401020304-12"}) {
    EXPECT_TRUE(is_run_name(name)) << name;
  }
  for (const char* name : {"", "20240102030", "2024010203040", "202401020304-", "202401020304-a",
                           "202401020304.old", "10.0.0.1-202401020304", "kexec_cmd"}) {
    EXPECT_FALSE(is_run_name(name)) << name;
  }
}

TEST(RunDirectory, IsCreatedWithItsParents) {
  const TemporaryDirectory root;
  Text<32> name;
  ASSERT_EQ(make_run_directory(root.path("var/crash"), "202401020304", name), 0);
  EXPECT_EQ(name.view(), "202401020304");
  EXPECT_TRUE(std::filesystem::is_directory(root.path("var/crash/202401020304")));
}

TEST(RunDirectory, NeverSharesOneWithAnotherRun) {
  const TemporaryDirectory root;
  Text<32> name;
  root.write("202401020304", "even a file");
  ASSERT_EQ(make_run_directory(root.path(), "202401020304", name), 0);
  EXPECT_EQ(name.view(), "202401020304-1");
  ASSERT_EQ(make_run_directory(root.path(), "202401020304", name), 0);
  EXPECT_EQ(name.view(), "202401020304-2");
  EXPECT_TRUE(is_run_name(name.view()));
}

TEST(RunDirectory, SaysWhyItCannotBe) {
  const TemporaryDirectory root;
  Text<32> name;
  root.write("file", "");
  EXPECT_EQ(make_run_directory(root.path("file/crash"), "202401020304", name), ENOTDIR);
}

TEST(MarkIncomplete, SetsOneBitInADump) {
  TemporaryDirectory root;
  std::string dump = "KDUMP   " + std::string(1000, '\1');
  root.write("dump", dump);
  mark_incomplete(root.path("dump").c_str());
  dump[424] = '\x9';
  EXPECT_EQ(root.read("dump"), dump);
}

TEST(MarkIncomplete, LeavesOtherFilesAlone) {
  TemporaryDirectory root;
  for (const std::string& content : {std::string(1000, '\1'), std::string("KDUMP   short")}) {
    root.write("file", content);
    mark_incomplete(root.path("file").c_str());
    EXPECT_EQ(root.read("file"), content);
  }
  mark_incomplete(root.path("none").c_str());
}

TEST(Publish, RenamesWithinTheDirectory) {
  const TemporaryDirectory root;
  root.write("dump-incomplete", "data");
  EXPECT_EQ(publish_file(root.path(), "dump-incomplete", "dump.1"), 0);
  EXPECT_FALSE(std::filesystem::exists(root.path("dump-incomplete")));
  EXPECT_EQ(root.read("dump.1"), "data");
  EXPECT_EQ(publish_file(root.path(), "dump-incomplete", "dump.1"), ENOENT);
}

TEST(WriteFileAtomically, ReplacesAndLeavesNothingElse) {
  const TemporaryDirectory root;
  EXPECT_EQ(write_file_atomically(root.path(), "report", "one"), 0);
  EXPECT_EQ(write_file_atomically(root.path(), "report", "two"), 0);
  EXPECT_EQ(root.read("report"), "two");
  EXPECT_EQ(root.names().size(), 1u);
  EXPECT_EQ(write_file_atomically(root.path("none"), "report", "x"), ENOENT);
}

class Retention : public ::testing::Test {
 protected:
  int delete_beyond(std::uint32_t keep, std::string_view current) {
    return delete_old_runs(root.path(), current, keep, deleted, ticker);
  }
  TemporaryDirectory root;
  Text<256> deleted;
  NoTicker ticker;
};

TEST_F(Retention, DeletesTheOldestRuns) {
  for (const char* run :
       {"202401010000", "202301010000", "202501010000", "202501010000-2", "202501010000-10"}) {
    root.write(std::string(run) + "/dump", "x");
    root.write(std::string(run) + "/deep/er/file", "x");
  }
  EXPECT_EQ(delete_beyond(3, "202501010000-10"), 0);
  EXPECT_THAT(root.names(),
              UnorderedElementsAre("202501010000", "202501010000-2", "202501010000-10"));
  EXPECT_EQ(deleted.view(), "202301010000 202401010000");
  EXPECT_GT(ticker.ticks, 0);
}

TEST_F(Retention, KeepsTheCurrentRunThoughItLooksOldest) {
  root.write("197001010000/dump", "current, the clock was lost");
  root.write("202401010000/dump", "x");
  root.write("202402010000/dump", "x");
  EXPECT_EQ(delete_beyond(1, "197001010000"), 0);
  EXPECT_THAT(root.names(), ElementsAre("197001010000"));
}

TEST_F(Retention, OrdersRunsOfOneMinuteByNumber) {
  for (const char* run : {"202401010000-10", "202401010000-9", "202401010000", "202501010000"}) {
    root.write(std::string(run) + "/dump", "x");
  }
  EXPECT_EQ(delete_beyond(2, "202501010000"), 0);
  EXPECT_THAT(root.names(), UnorderedElementsAre("202401010000-10", "202501010000"));
}

TEST_F(Retention, TouchesNothingElse) {
  root.write("202401010000", "a file");
  root.write("kexec_cmd", "x");
  root.write("202401010000.old/dump", "x");
  root.write("important/dump", "x");
  root.write("202501010000/dump", "x");
  std::filesystem::create_directory_symlink("important", root.path("202301010000"));
  EXPECT_EQ(delete_beyond(1, "202501010000"), 0);
  EXPECT_THAT(root.names(), UnorderedElementsAre("202401010000", "kexec_cmd", "202401010000.old",
                                                 "important", "202501010000", "202301010000"));
  EXPECT_EQ(root.read("important/dump"), "x");
}

TEST_F(Retention, CountsAndDeletesNothingOfOtherUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a directory of somebody else";
  for (const char* run : {"202301010000", "202401010000", "202501010000"}) {
    root.write(std::string(run) + "/dump", "x");
  }
  ASSERT_EQ(::chown(root.path("202301010000").c_str(), 65534, 65534), 0);
  EXPECT_EQ(delete_beyond(2, "202501010000"), 0);
  EXPECT_EQ(deleted.view(), "");
  EXPECT_EQ(delete_beyond(1, "202501010000"), 0);
  EXPECT_EQ(deleted.view(), "202401010000");
  EXPECT_THAT(root.names(), UnorderedElementsAre("202301010000", "202501010000"));
}

TEST_F(Retention, DoesNotFollowLinksInsideARun) {
  root.write("important/dump", "x");
  root.write("202301010000/dump", "x");
  std::filesystem::create_directory_symlink("../important", root.path("202301010000/link"));
  root.write("202501010000/dump", "x");
  EXPECT_EQ(delete_beyond(1, "202501010000"), 0);
  EXPECT_FALSE(std::filesystem::exists(root.path("202301010000")));
  EXPECT_EQ(root.read("important/dump"), "x");
}

TEST_F(Retention, FewerRunsThanKeptDeletesNothing) {
  root.write("202301010000/dump", "x");
  EXPECT_EQ(delete_beyond(2, "202301010000"), 0);
  EXPECT_EQ(deleted.view(), "");
  EXPECT_TRUE(std::filesystem::exists(root.path("202301010000/dump")));
}

std::uint64_t tail_of(const std::string& text, unsigned lines) {
  const TemporaryDirectory root;
  root.write("log", text);
  const kd::Fd fd(::open(root.path("log").c_str(), O_RDONLY));
  return tail_offset(fd.get(), lines);
}

TEST(Tail, BeginsAtTheAskedLineFromTheEnd) {
  EXPECT_EQ(tail_of("a\nb\nc\n", 2), 2u);
  EXPECT_EQ(tail_of("a\nb\nc", 2), 2u);
  EXPECT_EQ(tail_of("a\nb\n", 5), 0u);
  EXPECT_EQ(tail_of("", 5), 0u);
  std::string long_log;
  for (int i = 0; i < 1000; ++i) long_log += "a line of 16 ch\n";
  EXPECT_EQ(tail_of(long_log, 100), 16u * 900);
}

}  // namespace
}  // namespace kdinit
