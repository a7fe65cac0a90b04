// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/kernel.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "builder/facts/bzimage.h"
#include "builder/facts/pe_signature.h"
#include "cpio/compression.h"
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

// An ELF file with two load segments at 16 MiB: 25 MiB of code, and data that end 58 MiB further
// up.
std::string small_vmlinux() {
  std::string elf(64 + 2 * 56, '\0');
  elf.replace(0, 4,
              "\x7f"
              "ELF");
  put(elf, 4, 1, 2);    // EI_CLASS: 64 bits
  put(elf, 18, 2, 62);  // e_machine: x86-64
  put(elf, 32, 8, 64);  // e_phoff
  put(elf, 54, 2, 56);  // e_phentsize
  put(elf, 56, 2, 2);   // e_phnum
  const auto segment = [&elf](std::size_t at, std::uint64_t address, std::uint64_t size) {
    put(elf, at, 4, 1);  // PT_LOAD
    put(elf, at + 16, 8, 0xffffffff80000000 + address);
    put(elf, at + 24, 8, address);
    put(elf, at + 40, 8, size);
  };
  segment(64, 16 << 20, 25 << 20);
  segment(64 + 56, 42 << 20, 32 << 20);
  return elf;
}

// A bzImage around it; `payload` is what is in the place of the compressed vmlinux.
std::string bzimage_of(const std::string& payload) {
  std::string image = small_bzimage();
  image.resize(5 * 512 + 20);
  put(image, 0x230, 4, 2 << 20);
  put(image, 0x260, 4, 64 << 20);
  put(image, 0x24c, 4, payload.size());
  return image + payload;
}

Result<KernelImage> image_of(const std::string& file, bool memory_encryption = false) {
  return parse_kernel_image(file, file.size(), memory_encryption);
}

TEST(KernelImage, HasWhatItsSegmentsSpan) {
  const std::string elf = small_vmlinux();
  EXPECT_EQ(image_of(elf)->memory, 58U << 20);
  EXPECT_EQ(image_of(elf)->piece, 58U << 20);
  for (const cpio::Codec codec : {cpio::Codec::kGzip, cpio::Codec::kXz, cpio::Codec::kLz4,
                                  cpio::Codec::kZstd, cpio::Codec::kNone}) {
    const auto image = image_of(bzimage_of(cpio::compress(elf, {.codec = codec}).value()));
    ASSERT_TRUE(image) << cpio::name_of(codec);
    const KernelImage expected = {.memory = 58 << 20, .piece = 64 << 20, .alignment = 2 << 20};
    EXPECT_EQ(*image, expected) << cpio::name_of(codec);
  }
}

TEST(KernelImage, LeavesOutTheScratchAreaOfMemoryEncryption) {
  // 4 MiB of scratch, and 2 in which .brk has 64 KiB.
  EXPECT_EQ(image_of(small_vmlinux(), true)->memory, (52U << 20) + (64 << 10));
}

TEST(KernelImage, WhatIsNotUnderstoodIsUnknown) {
  for (const std::string& file :
       {std::string(), std::string(8192, 'x'), small_vmlinux().substr(0, 100),
        bzimage_of("not compressed"), bzimage_of("\x89LZO compressed by something else")}) {
    EXPECT_EQ(image_of(file).value(), KernelImage{});
  }
  std::string other = small_vmlinux();
  put(other, 18, 2, 183);  // arm64
  EXPECT_EQ(image_of(other).value(), KernelImage{});
  std::string huge = small_vmlinux();
  put(huge, 64 + 40, 8, ~std::uint64_t{0});
  EXPECT_EQ(image_of(huge).value(), KernelImage{});
  std::string many = small_vmlinux();
  put(many, 56, 2, 0xffff);
  EXPECT_EQ(image_of(many).value(), KernelImage{});
  // It says to need less than it unpacks to.
  std::string small = bzimage_of(small_vmlinux());
  put(small, 0x260, 4, 20 << 20);
  EXPECT_EQ(image_of(small).value(), KernelImage{});
}

TEST(KernelFacts, MayHaveWhatIsBuiltinOrUnknown) {
  KernelFacts facts;
  EXPECT_TRUE(facts.may_have("CONFIG_RD_ZSTD"));
  EXPECT_FALSE(facts.has("CONFIG_RD_ZSTD")) << "nobody knows";
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

TEST(Kernel, ConfigIsFoundWithoutModules) {
  FakeRoot root;
  root.file("/boot/config-6.1.0-1-amd64", "CONFIG_A=y\nCONFIG_BC=m\n");
  root.file("/usr/lib/modules/7.3.4-amd64/config", "CONFIG_B=y");
  EXPECT_TRUE(config_has(kernel_config(root.reader(), "6.1.0-1-amd64"), "CONFIG_A"));
  EXPECT_FALSE(config_has(kernel_config(root.reader(), "6.1.0-1-amd64"), "CONFIG_B"));
  EXPECT_TRUE(config_has(kernel_config(root.reader(), "7.3.4-amd64"), "CONFIG_B"));
  for (const char* none : {"6.1.0", "../6.1.0-1-amd64", ""}) {
    EXPECT_EQ(kernel_config(root.reader(), none), "");
  }
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
      // Those that were crashed have 40 to 52 MiB from "Kernel code" to "Kernel bss" of
      // /proc/iomem.
      EXPECT_GE(kernel->image.memory, 40U << 20) << version;
      EXPECT_LE(kernel->image.memory, 60U << 20) << version;
      EXPECT_GT(kernel->image.piece, kernel->image.memory) << version;
      // Those that are links are Debian's (tests/boot/kernels.py).
      EXPECT_TRUE(!root.is_symlink() || has_pe_signature(*start)) << version;
      EXPECT_TRUE(kernel->may_have("CONFIG_BLK_DEV_INITRD"));
      EXPECT_FALSE(kernel->may_have("CONFIG_NOT_THERE"));
      ++seen;
    }
  }
  EXPECT_GT(seen, 0) << kernels;
}

}  // namespace
}  // namespace kd
