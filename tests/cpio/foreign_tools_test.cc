// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tools that others wrote judge the archives and images.
#include <gmock/gmock.h>

#include <map>

#include "cpio/image.h"
#include "tests/cpio/samples.h"

namespace cpio {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kTime = 1'700'000'000;  // 2023-11-14 22:13:20 UTC

std::string image_of(const std::vector<Entry>& entries, Codec codec) {
  const std::string archive = write_archive(entries, kTime).value();
  return compress(archive, {.codec = codec, .level = {}}).value();
}

// Compares an unpacked tree with the entries: type, mode, time, content, link count.
void expect_tree(const std::string& root) {
  const std::map<std::string, nlink_t> links = {{"usr/lib/libc.so.6", 3},
                                                {"usr/lib/copy/libc.so.6", 3},
                                                {"zz-last", 3},
                                                {"etc/a", 2},
                                                {"etc/b", 2}};
  for (const Entry& entry : sample_entries()) {
    struct stat status {};
    const std::string path = root + "/" + entry.path;
    ASSERT_EQ(::lstat(path.c_str(), &status), 0) << path;
    EXPECT_EQ(status.st_mode, entry.mode) << path;
    if (S_ISLNK(entry.mode)) {
      EXPECT_EQ(std::filesystem::read_symlink(path), entry.data) << path;
    }
    if (!S_ISREG(entry.mode)) continue;
    std::ifstream stream(path, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(stream), {}), entry.data) << path;
    EXPECT_EQ(status.st_mtime, kTime) << path;
    EXPECT_EQ(status.st_nlink, links.contains(entry.path) ? links.at(entry.path) : 1) << path;
  }
}

class ForeignTools : public testing::Test {
 protected:
  ForeignTools() {
    scratch_.write("archive", write_archive(sample_entries(), kTime).value());
    std::filesystem::create_directory(scratch_.path("out"));
  }
  std::string run(const std::string& command) {
    const ToolResult result = run_tool(scratch_, command);
    EXPECT_EQ(result.status, 0) << command << "\n" << result.output;
    return result.output;
  }

  TemporaryDirectory scratch_;
};

TEST_F(ForeignTools, CpioUnpacksTheTree) {
  EXPECT_EQ(run("cd out && umask 0 && cpio -i -m --quiet --no-absolute-filenames < ../archive"),
            "");
  expect_tree(scratch_.path("out"));
}

TEST_F(ForeignTools, BsdtarUnpacksTheTree) {
  EXPECT_EQ(run("cd out && bsdtar -x -p -f ../archive"), "");
  expect_tree(scratch_.path("out"));
}

TEST_F(ForeignTools, CpioListsNodesOwnersAndLinks) {
  const std::vector<Entry> entries = {{.path = "dev/console",
                                       .mode = S_IFCHR | 0600,
                                       .data = {},
                                       .device_major = 5,
                                       .device_minor = 1},
                                      {.path = "dev/vda",
                                       .mode = S_IFBLK | 0660,
                                       .data = {},
                                       .device_major = 254,
                                       .device_minor = 4097},
                                      {.path = "fifo", .mode = S_IFIFO | 0600, .data = {}}};
  scratch_.write("nodes", write_archive(entries, 0).value());
  const std::string nodes = run("cpio -itv --quiet < nodes");
  EXPECT_THAT(nodes, testing::ContainsRegex("crw------- +1 root +root +5, +1 .* dev/console\n"));
  EXPECT_THAT(nodes, testing::ContainsRegex("brw-rw---- +1 root +root +254, *4097 .* dev/vda\n"));
  EXPECT_THAT(nodes, testing::ContainsRegex("prw------- +1 root +root .* fifo\n"));
  // Every name of a set tells the same count, the last one alone holds the data.
  const std::string files = run("cpio -itv --quiet < archive");
  EXPECT_THAT(files,
              testing::ContainsRegex("rwxr-xr-x +3 root +root +0 .* usr/lib/copy/libc.so.6"));
  EXPECT_THAT(files, testing::ContainsRegex("rwxr-xr-x +3 root +root +0 .* usr/lib/libc.so.6"));
  EXPECT_THAT(files, testing::ContainsRegex("rwxr-xr-x +3 root +root +3000 .* zz-last"));
}

TEST_F(ForeignTools, BsdtarListsTheSameNames) {
  // bsdtar escapes bytes that are no ASCII.
  EXPECT_EQ(run("bsdtar -tf archive | grep -v odd/"),
            run("cpio -it --quiet < archive | grep -v -a -e odd/ -e '^newline'"));
  EXPECT_THAT(run("bsdtar -tvf archive"), HasSubstr("zz-last link to usr/lib/copy/libc.so.6"));
}

// It wants a compressed archive at the end of every image, so kNone is not for it.
TEST_F(ForeignTools, LsinitramfsListsEveryCodec) {
  const std::string expected = run("cpio -it --quiet < archive");
  for (const Codec codec : {Codec::kGzip, Codec::kXz, Codec::kLz4, Codec::kZstd}) {
    scratch_.write("initrd", image_of(sample_entries(), codec));
    EXPECT_EQ(run("lsinitramfs initrd"), expected) << name_of(codec);
  }
}

TEST_F(ForeignTools, EachCompressorAcceptsOurStream) {
  const std::string data = sample_text(9'000'000);  // more than a block of lz4
  scratch_.write("data", data);
  const std::map<Codec, std::string> tools = {
      {Codec::kGzip, "gzip"}, {Codec::kXz, "xz"}, {Codec::kLz4, "lz4"}, {Codec::kZstd, "zstd"}};
  for (const auto& [codec, tool] : tools) {
    scratch_.write("packed", compress(data, {.codec = codec, .level = 1}).value());
    run(tool + " -t < packed");
    EXPECT_EQ(run(tool + " -dc < packed | cmp - data"), "") << tool;
  }
}

TEST_F(ForeignTools, EachCompressorsOutputIsUnpacked) {
  const std::string data = sample_text(300'000);
  scratch_.write("data", data);
  for (const char* command : {"gzip -9", "xz -6 --check=crc32", "xz -0 --check=crc64", "lz4 -l",
                              "zstd -19 --no-check", "zstd -3 --no-content-size"}) {
    run(std::string(command) + " -c < data > packed");
    const auto unpacked = decompress(scratch_.read("packed"));
    ASSERT_TRUE(unpacked) << command << ": " << unpacked.error().message;
    EXPECT_EQ(*unpacked == data, true) << command;
  }
}

TEST_F(ForeignTools, StreamsHaveWhatTheKernelAsksFor) {
  const std::string data = sample_text(300'000);
  scratch_.write("data.xz", compress(data, {.codec = Codec::kXz, .level = {}}).value());
  const std::string xz = run("xz --robot -lvv data.xz");
  EXPECT_THAT(xz, HasSubstr("CRC32"));
  EXPECT_THAT(xz, HasSubstr("--lzma2=dict=128KiB"));
  EXPECT_THAT(xz, testing::Not(HasSubstr("--x86")));
  scratch_.write("data.zst", compress(data, {.codec = Codec::kZstd, .level = 19}).value());
  const std::string zstd = run("zstd -lv data.zst");
  EXPECT_THAT(zstd, HasSubstr("# Zstandard Frames: 1\n"));
  EXPECT_THAT(zstd, testing::ContainsRegex("Window Size: [^(]*\\(131072 B\\)"));
  EXPECT_THAT(zstd, testing::ContainsRegex("Decompressed Size: [^(]*\\(300000 B\\)"));
}

}  // namespace
}  // namespace cpio
