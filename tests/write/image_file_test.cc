// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/write/image_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "builder/base/atomic_file.h"

namespace kd {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

class ImageFile : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / ("kd-image-" + std::to_string(getpid()));
    fs::create_directories(directory_);
    path_ = (directory_ / "initrd.img").string();
    std::ofstream(path_) << "old";
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string content() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  fs::path directory_;
  std::string path_;
};

// Passes calls on to a real file until the Nth, which fails.
class FailingSink final : public FileSink {
 public:
  FailingSink(AtomicFile& file, int fail_at, int error)
      : file_(file), fail_at_(fail_at), error_(error) {}
  Result<void> write(std::string_view data) override {
    if (++calls_ == fail_at_) return fail_errno(error_, "write");
    return file_.write(data);
  }
  Result<void> sync() override {
    if (++calls_ == fail_at_) return fail_errno(error_, "fsync");
    return file_.sync();
  }
  Result<void> publish() override {
    if (++calls_ == fail_at_) return fail_errno(error_, "rename");
    return file_.publish();
  }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  AtomicFile& file_;
  int fail_at_;
  int error_;
  int calls_ = 0;
};

TEST_F(ImageFile, AnErrorAtAnyCallKeepsTheOldImageAndLeavesNothing) {
  const std::string data(3'000'000, 'x');
  for (const int error : {ENOSPC, EIO}) {
    for (int fail_at = 1; fail_at <= 5; ++fail_at) {
      {
        auto file = AtomicFile::create(path_);
        ASSERT_TRUE(file.has_value());
        FailingSink sink(*file, fail_at, error);
        const auto written = write_file(sink, data);
        ASSERT_FALSE(written.has_value()) << "call " << fail_at;
        EXPECT_EQ(static_cast<int>(written.error().system_error), error);
      }
      EXPECT_EQ(content(), "old");
      EXPECT_EQ(files(), 1U);
    }
  }
}

TEST_F(ImageFile, ReplacesTheOldImageWithModeOwnerOnly) {
  auto file = AtomicFile::create(path_);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(write_file(*file, "new").has_value());
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

std::vector<cpio::Entry> sample_entries() {
  return {{.path = "bin", .mode = S_IFDIR | 0755, .data = {}},
          {.path = "bin/a", .mode = S_IFREG | 0755, .data = "same"},
          {.path = "bin/b", .mode = S_IFREG | 0755, .data = "same"},
          {.path = "c.xz", .mode = S_IFREG | 0600, .data = std::string(5000, 'c')}};
}

ImagePlan sample_plan(const Variant& variant) {
  ImagePlan plan{.kernel = "6.1.0-test", .variant = variant};
  for (const cpio::Entry& entry : sample_entries()) {
    plan.entries.push_back({.path = entry.path,
                            .mode = entry.mode,
                            .packed = variant.packed && entry.path.ends_with(".xz")});
  }
  return plan;
}

class EveryVariant : public testing::TestWithParam<Variant> {};

TEST_P(EveryVariant, HoldsWhatWasMeant) {
  const ImagePlan plan = sample_plan(GetParam());
  const auto image = make_image(plan, sample_entries(), {});
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_TRUE(verify_image(*image, plan, sample_entries()).has_value());
}

TEST_P(EveryVariant, VerificationFindsEveryDifference) {
  const ImagePlan plan = sample_plan(GetParam());
  const auto image = make_image(plan, sample_entries(), {});
  ASSERT_TRUE(image.has_value());
  auto other_data = sample_entries();
  other_data[3].data[4999] = 'C';
  EXPECT_FALSE(verify_image(*image, plan, other_data).has_value());
  auto other_mode = sample_entries();
  other_mode[3].mode = S_IFREG | 0644;
  EXPECT_FALSE(verify_image(*image, plan, other_mode).has_value());
  auto missing = sample_entries();
  missing[3].path = "d.xz";
  const auto verified = verify_image(*image, plan, missing);
  ASSERT_FALSE(verified.has_value());
  EXPECT_THAT(verified.error().message, HasSubstr("d.xz is missing"));
}

TEST_P(EveryVariant, BytesDoNotDependOnTheNumberOfThreads) {
  // Enough for several jobs of zstd, and files for several threads of xz.
  ImagePlan plan{.kernel = "6.1.0-test", .variant = GetParam()};
  std::vector<cpio::Entry> entries;
  for (unsigned i = 0; i < 4; ++i) {
    std::string data;
    for (std::uint32_t x = i + 1; data.size() < 400'000; x = x * 1664525 + 1013904223) {
      data += std::to_string(x % 5000);
    }
    entries.push_back({.path = std::string(1, static_cast<char>('a' + i)) + ".xz",
                       .mode = S_IFREG | 0600,
                       .data = std::move(data)});
    plan.entries.push_back(
        {.path = entries.back().path, .mode = entries.back().mode, .packed = plan.variant.packed});
  }
  const auto one = make_image(plan, entries, {.compression = {.threads = 1}});
  const auto four = make_image(plan, entries, {.compression = {.threads = 4}});
  ASSERT_TRUE(one.has_value() && four.has_value());
  EXPECT_TRUE(*one == *four);
}

INSTANTIATE_TEST_SUITE_P(Variants, EveryVariant, testing::ValuesIn(kVariants),
                         [](const auto& variant) { return std::string(variant.param.name); });

TEST(PlainEntries, RefuseAModuleThatIsNoElfFile) {
  ImagePlan plan;
  plan.entries = {{.path = "lib/modules/x.ko",
                   .mode = S_IFREG | 0600,
                   .source = Source::kKernel,
                   .source_path = "/lib/modules/V/x.ko",
                   .group = Group::kModule}};
  const auto entries = plain_entries(plan, {"<html>"});
  ASSERT_FALSE(entries.has_value());
  EXPECT_THAT(entries.error().message, HasSubstr("/lib/modules/V/x.ko"));
}

}  // namespace
}  // namespace kd
