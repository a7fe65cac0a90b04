// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/kernel.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "builder/facts/bzimage.h"
#include "tests/facts/fake_root.h"

namespace kd {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

void put(std::string& image, std::size_t offset, std::size_t bytes, std::uint64_t value) {
  for (std::size_t i = 0; i < bytes; ++i, value >>= 8) image[offset + i] = static_cast<char>(value);
}

// One sector of boot code, four of setup, 100 bytes of kernel.
Result<BzImage> parse_whole(std::string_view image) { return parse_bzimage(image, image.size()); }

std::string small_bzimage() {
  std::string image(5 * 512 + 100, '\0');
  put(image, 0x1f1, 1, 4);
  image.replace(0x202, 4, "HdrS");
  put(image, 0x206, 2, 0x020f);
  put(image, 0x234, 1, 1);
  put(image, 0x248, 4, 20);
  put(image, 0x24c, 4, 80);
  return image;
}

TEST(BzImage, ReadsTheHeader) {
  const auto image = parse_whole(small_bzimage());
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_TRUE(image->relocatable);
  std::string fixed = small_bzimage();
  put(fixed, 0x234, 1, 0);
  EXPECT_FALSE(parse_whole(fixed)->relocatable);
}

TEST(BzImage, TakesZeroSetupSectorsAsFour) {
  std::string image = small_bzimage();
  put(image, 0x1f1, 1, 0);
  EXPECT_TRUE(parse_whole(image).has_value());
  put(image, 0x1f1, 1, 5);
  EXPECT_FALSE(parse_whole(image).has_value());
}

TEST(BzImage, RefusesEveryTruncation) {
  const std::string image = small_bzimage();
  for (std::size_t size = 0; size < image.size(); ++size) {
    ASSERT_FALSE(parse_whole(std::string_view(image).substr(0, size)).has_value()) << size;
  }
  EXPECT_THAT(parse_whole(std::string_view(image).substr(0, 2000)).error().message,
              HasSubstr("truncated: 2000 bytes"));
}

TEST(BzImage, RefusesOtherFilesAndOldProtocols) {
  EXPECT_THAT(parse_whole(std::string(8192, 'x')).error().message, HasSubstr("not an x86 bzImage"));
  std::string old = small_bzimage();
  put(old, 0x206, 2, 0x0209);
  EXPECT_THAT(parse_whole(old).error().message, HasSubstr("boot protocol 2.09"));
}

TEST(BzImage, PayloadLiesInTheFile) {
  std::string image = small_bzimage();
  put(image, 0x24c, 4, 0xffffffff);
  EXPECT_THAT(parse_whole(image).error().message, HasSubstr("truncated"));
}

TEST(KernelFacts, MayHaveWhatIsBuiltinOrUnknown) {
  KernelFacts facts;
  EXPECT_TRUE(facts.may_have("CONFIG_RD_ZSTD"));
  facts.config = "this is no configuration";
  EXPECT_TRUE(facts.may_have("CONFIG_RD_ZSTD"));
  facts.config =
      "#\n# Automatically generated\nCONFIG_64BIT=y\n# CONFIG_RD_LZ4 is not set\n"
      "CONFIG_EXT4_FS=m\nCONFIG_CC=\"CONFIG_RD_ZSTD=y\"\nCONFIG_RD_XZ=yes\n"
      "XCONFIG_RD_XZ=y\nCONFIG_LAST=y";
  EXPECT_TRUE(facts.may_have("CONFIG_64BIT"));
  EXPECT_TRUE(facts.may_have("CONFIG_LAST"));
  EXPECT_FALSE(facts.may_have("CONFIG_RD_LZ4"));
  EXPECT_FALSE(facts.may_have("CONFIG_EXT4_FS"));
  EXPECT_FALSE(facts.may_have("CONFIG_RD_ZSTD"));
  EXPECT_FALSE(facts.may_have("CONFIG_RD_XZ"));
  EXPECT_FALSE(facts.may_have("RD_XZ"));
}

TEST(Kernel, IsFoundInBothPlaces) {
  for (const char* place : {"/lib/modules/", "/usr/lib/modules/"}) {
    FakeRoot root;
    root.directory(place + std::string("6.1.0-18-amd64"));
    root.file("/boot/vmlinuz-6.1.0-18-amd64", small_bzimage());
    root.file("/boot/config-6.1.0-18-amd64", "CONFIG_X=y\n");
    const auto kernel = gather_kernel(root.reader(), "6.1.0-18-amd64");
    ASSERT_TRUE(kernel.has_value()) << kernel.error().message;
    EXPECT_EQ(kernel->modules_dir, place + std::string("6.1.0-18-amd64"));
    EXPECT_EQ(kernel->modules_dir_host, root.path() + kernel->modules_dir);
    EXPECT_EQ(kernel->vmlinuz, "/boot/vmlinuz-6.1.0-18-amd64");
    EXPECT_EQ(kernel->config, "CONFIG_X=y\n");
  }
}

// linux-base-V, linux-binary-V and linux-modules-V of Linux 7.3 on a system with merged /usr.
TEST(Kernel, MayKeepEverythingBesideItsModules) {
  FakeRoot root;
  const std::string directory = "/usr/lib/modules/7.3.4+deb13-amd64";
  root.file(directory + "/vmlinuz", small_bzimage())
      .file(directory + "/config", "CONFIG_RD_ZSTD=y\n")
      .file(directory + "/System.map", "ffffffffffffffff B The real System.map is elsewhere\n")
      .directory("/boot");
  fs::create_directory_symlink("usr/lib", root.path() + "/lib");
  const auto kernel = gather_kernel(root.reader(), "7.3.4+deb13-amd64");
  ASSERT_TRUE(kernel.has_value());
  EXPECT_EQ(kernel->modules_dir, "/lib/modules/7.3.4+deb13-amd64");
  EXPECT_EQ(kernel->modules_dir_host, root.path() + directory);
  EXPECT_EQ(kernel->vmlinuz, "/lib/modules/7.3.4+deb13-amd64/vmlinuz");
  EXPECT_EQ(kernel->config, "CONFIG_RD_ZSTD=y\n");
}

TEST(Kernel, NeedsNoImageAndKnowsOnlyBzImages) {
  FakeRoot root;
  root.directory("/lib/modules/6.1");
  EXPECT_EQ(gather_kernel(root.reader(), "6.1")->vmlinuz, "");
  root.file("/boot/vmlinux-6.1", std::string(4096, 'E'));
  const auto other = gather_kernel(root.reader(), "6.1");
  EXPECT_EQ(other->vmlinuz, "/boot/vmlinux-6.1");
  root.file("/boot/vmlinuz-6.1", small_bzimage().substr(0, 2000));
  const auto damaged = gather_kernel(root.reader(), "6.1");
  ASSERT_FALSE(damaged.has_value());
  EXPECT_THAT(damaged.error().message, HasSubstr("/boot/vmlinuz-6.1: truncated"));
}

TEST(Kernel, IsFoundByItsWholeNameOnly) {
  FakeRoot root;
  root.directory("/lib/modules/6.1.0-56-amd64").directory("/lib/modules/6.1.0-6-amd64");
  const auto kernel = gather_kernel(root.reader(), "6.1.0-5");
  ASSERT_FALSE(kernel.has_value());
  EXPECT_EQ(kernel.error().kind, ErrorKind::kKernelNotFound);
  EXPECT_THAT(kernel.error().message, HasSubstr("there are: 6.1.0-6-amd64 6.1.0-56-amd64"));
  const FakeRoot empty;
  EXPECT_THAT(gather_kernel(empty.reader(), "6.1").error().message, HasSubstr("there is none"));
}

TEST(Kernel, VersionIsOnePathComponent) {
  const FakeRoot root;
  for (const char* version :
       {"", ".", "..", "../x", "a/b", "/lib", "6.1 ", "6\n1", ".hidden", "-p"}) {
    const auto kernel = gather_kernel(root.reader(), version);
    ASSERT_FALSE(kernel.has_value()) << version;
    EXPECT_EQ(kernel.error().kind, ErrorKind::kUsage) << version;
  }
}

// KD_KERNELS: a directory with one unpacked kernel package per entry.
TEST(Kernel, RealOnesAreUnderstood) {
  const char* kernels = std::getenv("KD_KERNELS");
  if (kernels == nullptr) GTEST_SKIP() << "KD_KERNELS is not set";
  int seen = 0;
  for (const fs::directory_entry& root : fs::directory_iterator(kernels)) {
    if (!fs::exists(root.path() / "lib/modules")) continue;
    const auto reader = RootedReader::open(root.path());
    ASSERT_TRUE(reader.has_value());
    const std::vector<std::string> versions = reader->list("/lib/modules").value();
    for (const std::string& version : versions) {
      const auto kernel = gather_kernel(*reader, version);
      ASSERT_TRUE(kernel.has_value()) << kernel.error().message;
      const auto start = read_start(*reader, kernel->vmlinuz);
      ASSERT_TRUE(start.has_value()) << version;
      EXPECT_TRUE(parse_bzimage(*start, reader->status(kernel->vmlinuz)->size)->relocatable);
      EXPECT_TRUE(kernel->may_have("CONFIG_BLK_DEV_INITRD"));
      EXPECT_FALSE(kernel->may_have("CONFIG_NOT_THERE"));
      ++seen;
    }
  }
  EXPECT_GT(seen, 0) << kernels;
}

}  // namespace
}  // namespace kd
