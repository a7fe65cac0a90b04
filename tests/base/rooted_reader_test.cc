// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/rooted_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

// outer/secret is what a reader of outer/root must never see.
class RootedReaderTest : public testing::Test {
 protected:
  RootedReaderTest() {
    outer_.write("secret", "host");
    outer_.write("etc/passwd", "host");
    outer_.write("root/etc/passwd", "guest");
    outer_.write("root/secret", "guest");
    outer_.write("root/lib/modules/x.ko", "module");
  }

  void link(const std::string& target, const std::string& name) {
    fs::create_symlink(target, outer_.path("root/" + name));
  }
  RootedReader reader() { return RootedReader::open(outer_.path("root")).value(); }

  TemporaryDirectory outer_;
};

TEST_F(RootedReaderTest, ReadsAFile) {
  EXPECT_EQ(reader().read("/etc/passwd"), "guest");
  EXPECT_EQ(reader().read("etc/passwd"), "guest");
}

TEST_F(RootedReaderTest, AbsoluteLinkStartsAtTheRoot) {
  link("/etc/passwd", "file");
  link("/etc", "directory");
  link(outer_.path("secret"), "out");
  EXPECT_EQ(reader().read("/file"), "guest");
  EXPECT_EQ(reader().read("/directory/passwd"), "guest");
  EXPECT_EQ(reader().resolve("/directory/passwd"), "/etc/passwd");
  EXPECT_FALSE(reader().exists("/out"));
}

TEST_F(RootedReaderTest, DotDotStopsAtTheRoot) {
  link("../secret", "one");
  link("../../../../../../../../secret", "etc/many");
  EXPECT_EQ(reader().read("/../secret"), "guest");
  EXPECT_EQ(reader().read("/etc/../../secret"), "guest");
  EXPECT_EQ(reader().read("/one"), "guest");
  EXPECT_EQ(reader().read("/etc/many"), "guest");
  EXPECT_EQ(reader().resolve("/../.."), "/");
}

TEST_F(RootedReaderTest, LinksToLinksStayInside) {
  link("/two", "one");
  link("../three", "two");
  link("/../../etc/../secret", "three");
  EXPECT_EQ(reader().read("/one"), "guest");
  EXPECT_EQ(reader().resolve("/one"), "/secret");
  EXPECT_EQ(reader().host_path("/one"), outer_.path("root/secret"));
}

TEST_F(RootedReaderTest, LoopIsAnError) {
  link("loop", "loop");
  EXPECT_EQ(reader().read("/loop").error().system_error, std::errc::too_many_symbolic_link_levels);
}

TEST(RootedReader, RefusesMagicLinks) {
  const Fd open_file(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  const RootedReader reader = RootedReader::open("/proc/self").value();
  for (const std::string& path : {std::string("/root/etc/passwd"), std::string("/cwd"),
                                  std::string("/exe"), "/fd/" + std::to_string(open_file.get())}) {
    const Result<std::string> text = reader.read(path);
    ASSERT_FALSE(text) << path;
    EXPECT_EQ(text.error().system_error, std::errc::too_many_symbolic_link_levels) << path;
    EXPECT_FALSE(reader.exists(path));
    EXPECT_FALSE(reader.resolve(path));
    EXPECT_FALSE(reader.list(path));
  }
}

TEST(RootedReader, ReadsFilesThatClaimNoSize) {
  const RootedReader reader = RootedReader::open("/").value();
  EXPECT_THAT(reader.read("/proc/self/status").value(), testing::HasSubstr("VmPeak"));
  EXPECT_EQ(reader.resolve("/"), "/");
  EXPECT_EQ(reader.host_path("/proc/version"), "/proc/version");
}

TEST_F(RootedReaderTest, ReadsALargeFileWhole) {
  const std::string text(3'000'001, 'x');
  outer_.write("root/large", text);
  EXPECT_EQ(reader().read("/large"), text);
}

TEST_F(RootedReaderTest, MissingFileSaysSoWithItsHostPath) {
  const Result<std::string> text = reader().read("/etc/none");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().system_error, std::errc::no_such_file_or_directory);
  EXPECT_THAT(text.error().message, testing::HasSubstr(outer_.path("root/etc/none")));
}

TEST_F(RootedReaderTest, ReadsNothingButFiles) {
  ASSERT_EQ(::mkfifo(outer_.path("root/fifo").c_str(), 0600), 0);
  EXPECT_EQ(reader().read("/etc").error().system_error, std::errc::is_a_directory);
  EXPECT_FALSE(reader().read("/fifo"));
  // Without the check this would never end.
  EXPECT_FALSE(RootedReader::open("/").value().read("/dev/zero"));
}

TEST_F(RootedReaderTest, ListsNamesSortedByByte) {
  for (const char* name : {"b", "a", "B", "\xc3\xa4", ".hidden"}) {
    outer_.write("root/names/" + std::string(name), "");
  }
  EXPECT_THAT(reader().list("/names").value(), ElementsAre(".hidden", "B", "a", "b", "\xc3\xa4"));
  EXPECT_FALSE(reader().list("/etc/passwd"));
}

TEST_F(RootedReaderTest, StatusFollowsLinks) {
  link("/etc/passwd", "file");
  link("/lib", "directory");
  fs::permissions(outer_.path("root/etc/passwd"), fs::perms{04751});
  const FileStatus file = reader().status("/file").value();
  EXPECT_EQ(file.type, FileType::kRegular);
  EXPECT_EQ(file.mode, 04751U);
  EXPECT_EQ(file.size, 5U);
  EXPECT_EQ(reader().status("/directory").value().type, FileType::kDirectory);
  EXPECT_EQ(RootedReader::open("/").value().status("/dev/null").value().type, FileType::kOther);
}

TEST_F(RootedReaderTest, RootMustBeADirectory) {
  EXPECT_FALSE(RootedReader::open(outer_.path("secret")));
  EXPECT_FALSE(RootedReader::open(outer_.path("none")));
}

TEST_F(RootedReaderTest, RootMayBeALinkItself) {
  fs::create_symlink("root", outer_.path("alias"));
  const RootedReader reader = RootedReader::open(outer_.path("alias")).value();
  EXPECT_EQ(reader.host_path("/secret"), outer_.path("root/secret"));
  EXPECT_EQ(reader.resolve("/secret"), "/secret");
}

}  // namespace
}  // namespace kd
