// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/digest.h"

#include <gtest/gtest.h>

#include "builder/base/rooted_reader.h"
#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

// A manifest on disk outlives this program, so its digests may never change.
TEST(Digest, IsXxh3With128Bits) {
  EXPECT_EQ(digest(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest("abc"), "06b05ab6733a618578af5f94892f3950");
}

TEST(Digest, OfAFileIsThatOfItsBytes) {
  const TemporaryDirectory directory;
  const RootedReader reader = RootedReader::open(directory.path()).value();
  for (const std::size_t size : {0U, 1U, 131072U, 131073U, 400000U}) {
    const std::string text(size, 'x');
    directory.write("file", text);
    const Result<FileDigest> file = digest_of_file(reader, "/file");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->digest, digest(text));
    EXPECT_EQ(file->size, size);
  }
  EXPECT_FALSE(digest_of_file(reader, "/missing"));
}

}  // namespace
}  // namespace kd
