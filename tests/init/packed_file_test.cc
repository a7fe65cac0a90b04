// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/packed_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "tests/base/temporary_directory.h"

namespace kdinit {
namespace {

// xz(1) is the judge of the format.
class PackedFile : public ::testing::Test {
 protected:
  void pack(const std::string& content, const std::string& options = "") {
    root.write("file", content);
    ASSERT_EQ(std::system(("xz -f " + options + " " + root.path("file")).c_str()), 0);
  }
  [[nodiscard]] std::string packed() const { return root.path("file.xz"); }

  TemporaryDirectory root;
};

std::string pattern(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i * i);
  return text;
}

TEST_F(PackedFile, ComesBackWholeWithItsMode) {
  const std::string content = pattern(3'000'000);
  pack(content, "--check=crc32");
  chmod(packed().c_str(), 0751);
  ASSERT_EQ(unpack_file(packed().c_str()), 0);
  EXPECT_EQ(root.read("file"), content);
  struct stat info {};
  EXPECT_NE(stat(packed().c_str(), &info), 0) << "its memory is needed";
  ASSERT_EQ(stat(root.path("file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0751U);
}

TEST_F(PackedFile, UnpacksToMemoryWithoutTouchingTheFile) {
  const std::string content = pattern(100'000);
  pack(content);
  Pages plain;
  ASSERT_EQ(unpack_to_memory(packed().c_str(), plain), 0);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(plain.data()), plain.size()), content);
  EXPECT_FALSE(root.read("file.xz").empty());
}

TEST_F(PackedFile, DamageAnywhereIsFound) {
  pack(pattern(20'000));
  const std::string whole = root.read("file.xz");
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    root.write("damaged.xz", damaged);
    Pages plain;
    EXPECT_EQ(unpack_to_memory(root.path("damaged.xz").c_str(), plain), EBADMSG) << "byte " << i;
  }
  for (std::size_t size = 1; size < whole.size(); size += 13) {
    root.write("cut.xz", whole.substr(0, size));
    Pages plain;
    EXPECT_EQ(unpack_to_memory(root.path("cut.xz").c_str(), plain), EBADMSG) << size << " bytes";
  }
}

TEST_F(PackedFile, MissingAndEmptyFilesAreErrors) {
  Pages missing;
  EXPECT_EQ(unpack_to_memory(root.path("nothing.xz").c_str(), missing), ENOENT);
  root.write("empty.xz", "");
  Pages empty;
  EXPECT_NE(unpack_to_memory(root.path("empty.xz").c_str(), empty), 0);
}

}  // namespace
}  // namespace kdinit
