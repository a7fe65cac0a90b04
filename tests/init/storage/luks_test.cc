// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/luks.h"

#include <gmock/gmock.h>

#include <vector>

#include "tests/init/storage/encrypted_image.h"
#include "tests/init/storage/memory_device.h"

namespace kdinit::luks {
namespace {

using ::testing::StartsWith;

std::string problem_of(BlockReader& device, Header& header) {
  std::vector<char> buffer(kMaxJsonBytes);
  const char* problem = read_header(device, buffer, header);
  return problem == nullptr ? "" : problem;
}

std::string problem_of(BlockReader& device) {
  Header header;
  return problem_of(device, header);
}

class Luks : public testing::Test {
 protected:
  void SetUp() override {
    if (!image_.run("--version")) GTEST_SKIP() << "cryptsetup is not installed";
  }
  EncryptedImage image_;
};

// A slot may hold a key that is not the volume's, and the volume's slot need not be the first.
TEST_F(Luks, KeySizeIsThatOfTheVolume) {
  ASSERT_TRUE(image_.format("--type luks2 --key-size 512 --key-slot 3")) << image_.output();
  ASSERT_TRUE(image_.run(std::string("luksAddKey -q ") + EncryptedImage::kFast +
                         "--unbound --key-slot 0 --key-size 128 --key-file " + image_.key() + " " +
                         image_.path() + " " + image_.key()))
      << image_.output();
  MemoryDevice device(image_.start());
  Header header;
  EXPECT_EQ(problem_of(device, header), "");
  EXPECT_EQ(header.key_size, 64u);
}

TEST_F(Luks, ReencryptionUnderWayIsRefused) {
  ASSERT_TRUE(image_.format("--type luks2"));
  ASSERT_TRUE(image_.run(std::string("reencrypt --init-only --resilience none ") +
                         EncryptedImage::kFast + "--key-file " + image_.key() + " " +
                         image_.path()))
      << image_.output();
  MemoryDevice device(image_.start());
  Header header;
  EXPECT_EQ(problem_of(device, header), "it is being reencrypted");
  EXPECT_EQ(header.uuid.view().size(), 36u) << "to say of which device it is said";
}

TEST_F(Luks, DetachedHeaderIsRefused) {
  ASSERT_TRUE(image_.format("--type luks2"));
  image_.directory().write("header", std::string(16 << 20, '\0'));
  ASSERT_TRUE(image_.run(std::string("luksFormat -q --type luks2 ") + EncryptedImage::kFast +
                         "--header " + image_.directory().path("header") + " --key-file " +
                         image_.key() + " " + image_.path()))
      << image_.output();
  MemoryDevice device(image_.directory().read("header"));
  EXPECT_EQ(problem_of(device), "its header is of a volume that lies elsewhere");
}

class LuksText : public Luks {
 protected:
  void SetUp() override {
    Luks::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(image_.format("--type luks2 --sector-size 4096"));
    device_.bytes = image_.start();
  }
  // In the first copy of the text, or in both.
  void replace(const std::string& what, const std::string& by, bool both = true) {
    for (std::size_t copy = 0; copy < (both ? 2 : 1); ++copy) {
      const std::size_t area = copy * (16 << 10) + 4096;
      const std::size_t place = device_.bytes.find(what, area);
      ASSERT_LT(place, area + 4096) << what;
      std::string text = device_.bytes.substr(area, 8 << 10);
      text.replace(place - area, what.size(), by);
      device_.bytes.replace(area, 8 << 10, text.substr(0, 8 << 10));
    }
  }
  MemoryDevice device_;
};

TEST_F(LuksText, IntegrityIsRefused) {
  replace(R"("sector_size":4096)", R"x("sector_size":4096,"integrity":{"type":"hmac(sha256)"})x");
  EXPECT_EQ(problem_of(device_), "it has integrity tags");
}

TEST_F(LuksText, RequirementOfALaterCryptsetupIsRefused) {
  replace(R"("config":{)", R"("config":{"requirements":{"mandatory":["opal"]},)");
  EXPECT_EQ(problem_of(device_), "it requires what init does not know");
}

TEST_F(LuksText, SegmentOfAnotherTypeIsRefused) {
  replace(R"({"type":"crypt")", R"({"type":"hw-opal-crypt")");
  EXPECT_EQ(problem_of(device_), "its data is no plain encryption");
}

TEST_F(LuksText, SecondCopyIsReadWhereTheFirstIsNoJson) {
  replace(R"("segments":{)", R"("segments":(()", false);
  Header header;
  EXPECT_EQ(problem_of(device_, header), "");
  EXPECT_EQ(header.sector_size, 4096u);
  EXPECT_EQ(header.cipher.view(), "aes-xts-plain64");
}

TEST_F(LuksText, DamageOfBothCopiesIsRefused) {
  replace(R"("segments":{)", R"("segments":(()");
  EXPECT_EQ(problem_of(device_), "its header is damaged");
}

TEST_F(LuksText, CipherThatIsNoWordOfATableIsRefused) {
  replace(R"("encryption":"aes-xts-plain64","sector)", R"("encryption":"aes-xts plain64","sector)");
  EXPECT_EQ(problem_of(device_), "its cipher is not known");
}

TEST_F(LuksText, SectorOfAnOddSizeIsRefused) {
  replace(R"("sector_size":4096)", R"("sector_size":1536)");
  EXPECT_EQ(problem_of(device_), "its header is damaged");
}

TEST_F(LuksText, SegmentWithoutAKeySlotIsRefused) {
  replace(R"("segments":["0"])", R"("segments":["9"])");
  EXPECT_THAT(problem_of(device_), StartsWith("no key slot"));
}

TEST(LuksHeader, IsNotThereOnOtherDevices) {
  MemoryDevice empty, zeros(std::string(4096, '\0'));
  EXPECT_EQ(problem_of(empty), "there is no header on it");
  EXPECT_EQ(problem_of(zeros), "there is no header on it");
}

TEST(LuksHeader, NamesAreThoseOfCryptsetup) {
  const std::string_view id = "01234567-89ab-cdef-0123-456789abcdef";
  Text<200> uuid, description;
  put_dm_uuid(2, id, "vda3_crypt", uuid);
  EXPECT_EQ(uuid.view(), "CRYPT-LUKS2-0123456789abcdef0123456789abcdef-vda3_crypt");
  put_key_description(id, description);
  EXPECT_EQ(description.view(), "kdump-cryptsetup:vk-01234567-89ab-cdef-0123-456789abcdef");
}

}  // namespace
}  // namespace kdinit::luks
