// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpio/archive.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <clocale>
#include <cstdlib>
#include <ctime>
#include <map>
#include <random>

#include "tests/cpio/samples.h"

namespace cpio {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string archive_of(const std::vector<Entry>& entries, std::int64_t mtime = 0) {
  return write_archive(entries, mtime).value();
}

std::vector<Entry> read_back(const std::vector<Entry>& entries) {
  return entries_of(archive_of(entries)).value();
}

std::vector<std::string> paths_of(const std::vector<Entry>& entries) {
  std::vector<std::string> paths;
  for (const Entry& entry : entries) paths.push_back(entry.path);
  return paths;
}

std::string refusal(const std::vector<Entry>& entries, std::int64_t mtime = 0) {
  const kd::Result<std::string> archive = write_archive(entries, mtime);
  return archive ? "accepted" : archive.error().message;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; ++at) ++found;
  return found;
}

// The format itself, field by field: inode, mode, uid, gid, links, mtime, size, device, node
// device, name size, checksum; header and name padded to 4, then the data padded to 4.
TEST(WriteArchive, WritesTheseBytes) {
  const std::string archive = archive_of({file("d/f", "hello", 0640)}, 255);
  const std::string zeros(16, '0');
  const std::string expected =
      std::string("070701") + "00000001" + "000041ed" + zeros + "00000001" + "000000ff" +
      "00000000" + zeros + zeros + "00000002" + "00000000" + std::string("d\0", 2) +  //
      "070701" + "00000002" + "000081a0" + zeros + "00000001" + "000000ff" + "00000005" + zeros +
      zeros + "00000004" + "00000000" + std::string("d/f\0\0\0", 6) +
      std::string("hello\0\0\0", 8) + "070701" + "00000000" + "00000000" + zeros + "00000001" +
      "00000000" + "00000000" + zeros + zeros + "0000000b" + "00000000" +
      std::string("TRAILER!!!\0\0\0\0", 14);
  // The case of the hex digits is the writer's choice.
  EXPECT_EQ(archive.size(), expected.size());
  EXPECT_TRUE(std::equal(archive.begin(), archive.end(), expected.begin(), expected.end(),
                         [](char a, char b) { return std::tolower(a) == std::tolower(b); }))
      << archive;
}

TEST(WriteArchive, SortsAndAddsParents) {
  const auto entries = entries_of(
      archive_of({file("b/c/d", "1"), directory("b", 0700), file("a", "2"), file("b-c", "3")}));
  EXPECT_THAT(paths_of(entries.value()), ElementsAre("a", "b", "b-c", "b/c", "b/c/d"));
  EXPECT_EQ(entries.value()[1].mode, S_IFDIR | 0700U);
  EXPECT_EQ(entries.value()[3].mode, S_IFDIR | 0755U);
}

TEST(WriteArchive, EndsWithOneTrailer) {
  for (const std::vector<Entry>& entries : {std::vector<Entry>{}, sample_entries()}) {
    const std::string archive = archive_of(entries);
    EXPECT_EQ(count(archive, "TRAILER!!!"), 1U);
    EXPECT_EQ(archive.find("TRAILER!!!"), archive.size() - 14);
    EXPECT_EQ(archive.size() % 4, 0U);
  }
}

TEST(WriteArchive, LinksEqualFilesOfEqualMode) {
  std::map<std::string, std::uint32_t> links;
  for (const Entry& entry : read_back(sample_entries())) {
    links[entry.path] = entry.links;
  }
  for (const char* path : {"usr/lib/libc.so.6", "usr/lib/copy/libc.so.6", "zz-last"}) {
    EXPECT_EQ(links.at(path), 3U) << path;
  }
  EXPECT_EQ(links.at("etc/a"), 2U);
  EXPECT_EQ(links.at("etc/b"), 2U);
  for (const char* path : {"etc/other-mode", "etc/empty1", "etc/empty2", "init", "etc"}) {
    EXPECT_EQ(links.at(path), 1U) << path;
  }
  const std::string text = sample_text(100'000);
  EXPECT_LT(archive_of({file("a", text), file("b", text)}).size(), 101'000U);
}

TEST(WriteArchive, NumbersInodesFromOne) {
  const std::string archive = archive_of({file("a", "x"), file("b", "y")});
  EXPECT_EQ(count(archive, "07070100000001"), 1U);
  EXPECT_EQ(count(archive, "07070100000002"), 1U);
}

TEST(WriteArchive, IsTheSameForEveryOrderUmaskTimeZoneAndLocale) {
  const std::string expected = archive_of(sample_entries(), 1'700'000'000);
  std::vector<Entry> entries = sample_entries();
  std::mt19937 random(1);  // NOLINT: the same orders in every run
  const mode_t mask = ::umask(0077);
  ::setenv("TZ", "Asia/Kathmandu", 1);
  ::tzset();
  std::setlocale(LC_ALL, "C.UTF-8");
  for (int round = 0; round < 20; ++round) {
    std::shuffle(entries.begin(), entries.end(), random);
    EXPECT_EQ(archive_of(entries, 1'700'000'000), expected);
  }
  std::setlocale(LC_ALL, "C");
  ::unsetenv("TZ");
  ::tzset();
  ::umask(mask);
}

TEST(WriteArchive, RefusesWhatTheKernelWouldDrop) {
  for (const char* path : {"", "/a", "a/", "a//b", ".", "..", "./a", "a/../b", "a/."}) {
    EXPECT_THAT(refusal({file(path, "")}), HasSubstr("cannot archive")) << path;
  }
  EXPECT_THAT(refusal({file(std::string("a\0b", 3), "")}), HasSubstr("NUL"));
  EXPECT_THAT(refusal({file("TRAILER!!!", "")}), HasSubstr("ends an archive"));
  EXPECT_THAT(refusal({file(std::string(256, 'a'), "")}), HasSubstr("255 bytes"));
  std::string path(4096, 'a');
  for (std::size_t i = 100; i < path.size(); i += 100) path[i] = '/';
  EXPECT_THAT(refusal({file(path, "")}), HasSubstr("4095 bytes"));
  path.pop_back();
  EXPECT_EQ(refusal({file(path, "")}), "accepted");
  EXPECT_THAT(refusal({symlink("a", "")}), HasSubstr("link target"));
  EXPECT_THAT(refusal({symlink("a", std::string(4096, 'b'))}), HasSubstr("link target"));
  EXPECT_THAT(refusal({{.path = "a", .mode = S_IFDIR | 0755, .data = "x"}}), HasSubstr("data"));
  EXPECT_THAT(refusal({{.path = "a", .mode = 0644, .data = ""}}), HasSubstr("no file type"));
  EXPECT_THAT(refusal({{.path = "a", .mode = 0x10000 | S_IFREG, .data = ""}}), HasSubstr("mode"));
}

TEST(WriteArchive, RefusesContradictions) {
  EXPECT_THAT(refusal({file("a", "1"), file("b", "2"), file("a", "1")}),
              HasSubstr("\"a\" is in the archive twice"));
  EXPECT_THAT(refusal({file("a/b", "1"), symlink("a", "c"), directory("c")}),
              HasSubstr("no directory"));
  EXPECT_THAT(refusal({file("a/b/c", "1"), file("a", "2")}), HasSubstr("no directory"));
  EXPECT_THAT(refusal({}, -1), HasSubstr("time"));
  EXPECT_THAT(refusal({}, std::int64_t{1} << 32), HasSubstr("time"));
}

TEST(ReadArchive, ReturnsWhatWasWritten) {
  std::vector<Entry> written = sample_entries();
  written.push_back({.path = "dev/console",
                     .mode = S_IFCHR | 0600,
                     .data = {},
                     .device_major = 5,
                     .device_minor = 1});
  std::map<std::string, Entry> read;
  for (const Entry& entry : read_back(written)) read[entry.path] = entry;
  for (const Entry& entry : written) {
    const Entry& found = read.at(entry.path);
    EXPECT_EQ(found.mode, entry.mode) << entry.path;
    EXPECT_EQ(found.data, entry.data) << entry.path;
    EXPECT_EQ(found.device_major, entry.device_major) << entry.path;
    EXPECT_EQ(found.device_minor, entry.device_minor) << entry.path;
  }
  EXPECT_EQ(read.size(), written.size() + 7);  // dev, etc, odd, usr, usr/bin, usr/lib, usr/lib/copy
}

TEST(ReadArchive, ReadsWhatCpioWrote) {
  const TemporaryDirectory scratch;
  scratch.write("tree/a", "linked");
  std::filesystem::create_hard_link(scratch.path("tree/a"), scratch.path("tree/b"));
  scratch.write("tree/c", sample_text(777));
  const ToolResult result =
      run_tool(scratch, "cd tree && printf '%s\\n' a b c | cpio -o -H newc --quiet > ../archive");
  ASSERT_EQ(result.status, 0) << result.output;
  const std::vector<Entry> entries = entries_of(scratch.read("archive")).value();
  ASSERT_EQ(entries.size(), 3U);
  for (const Entry& entry : entries) {
    EXPECT_EQ(entry.data, entry.path == "c" ? sample_text(777) : "linked") << entry.path;
    EXPECT_EQ(entry.links, entry.path == "c" ? 1U : 2U) << entry.path;
  }
}

TEST(ReadArchive, CutOffAnywhereButBetweenEntriesIsAnError) {
  const std::string archive = archive_of({file("a", "12345"), file("d/b", "1"), symlink("l", "a")});
  std::size_t whole = 0;
  for (std::size_t size = 0; size < archive.size(); ++size) {
    const auto prefix = read_archive_prefix(std::string_view(archive).substr(0, size));
    if (!prefix) {
      EXPECT_THAT(prefix.error().message, HasSubstr("offset")) << size;
    } else if (prefix->size == size) {
      EXPECT_EQ(size % 4, 0U);
      ++whole;
    } else {
      EXPECT_LT(size - prefix->size, 6U) << "not even a magic is left";
      EXPECT_FALSE(entries_of(archive.substr(0, size))) << size;
    }
  }
  EXPECT_EQ(whole, 5U);  // before each of a, d, d/b, l and the trailer
}

TEST(ReadArchive, EveryChangedByteGivesAnErrorOrAnArchive) {
  const std::string archive =
      archive_of({file("a", "same"), file("b", "same"), file("c", "other")});
  std::size_t errors = 0;
  for (std::size_t i = 0; i < archive.size(); ++i) {
    for (const char byte : {'\0', '0', '7', 'f', 'g', '\xff'}) {
      std::string damaged = archive;
      damaged[i] = byte;
      const auto entries = entries_of(damaged);
      if (!entries) {
        ++errors;
        continue;
      }
      EXPECT_LE(entries->size(), 4U);  // a damaged trailer is an entry
    }
  }
  EXPECT_GT(errors, archive.size());
}

TEST(ReadArchive, HugeClaimsAreErrorsThatNameTheOffset) {
  const std::string archive = archive_of({file("a", "x"), file("b", "yy")});
  const std::size_t second = archive.find("070701", 6);
  for (const std::size_t field : {6U, 11U}) {  // sizes of data and name
    std::string damaged = archive;
    damaged.replace(second + 6 + 8 * field, 8, "ffffffff");
    const auto entries = entries_of(damaged);
    ASSERT_FALSE(entries);
    EXPECT_THAT(entries.error().message, HasSubstr("offset " + std::to_string(second)));
  }
}

TEST(ReadArchive, ManyLinksToABigFileAreRefused) {
  const std::string text(32 << 20, 'x');
  std::string archive = archive_of({file("a", text), file("b", text)});
  const std::string name_without_data = archive.substr(0, archive.find("070701", 6));
  for (int i = 0; i < 40; ++i) archive.insert(0, name_without_data);
  const auto read = entries_of(archive);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("more than 1 GiB"));
}

TEST(ReadArchive, NamesWithoutAnEndAreRefused) {
  std::string archive = archive_of({file("ab", "x")});
  archive[110 + 2] = 'c';
  EXPECT_FALSE(entries_of(archive));
  archive[110 + 1] = '\0';
  EXPECT_FALSE(entries_of(archive));
}

TEST(ReadArchive, OtherBytesBehindTheArchiveAreRefused) {
  const std::string archive = archive_of(sample_entries());
  EXPECT_TRUE(entries_of(archive + std::string(512, '\0')));
  EXPECT_FALSE(entries_of(archive + "x"));
  EXPECT_FALSE(entries_of("070707 is the old format"));
}

}  // namespace
}  // namespace cpio
