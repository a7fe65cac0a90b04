// SPDX-License-Identifier: GPL-2.0-or-later
//
// Headers that cryptsetup made, read by init as cryptsetup itself reads them.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "builder/base/fd.h"
#include "builder/init/storage/luks.h"
#include "tests/init/storage/encrypted_image.h"

namespace kdinit::luks {
namespace {

using ::testing::HasSubstr;

// Cipher and size of its key in bits. cryptsetup tries them with device-mapper when it does not
// know them itself, so these are what it can use as an ordinary user.
constexpr std::pair<const char*, int> kCiphers[] = {
    {"aes-xts-plain64", 512},      {"aes-xts-plain64", 256}, {"aes-xts-plain", 512},
    {"aes-cbc-essiv:sha256", 256}, {"aes-cbc-plain64", 192}, {"aes-cbc-benbi", 256},
    {"aes-cbc-essiv:sha256", 128}, {"aes-ecb", 256},         {"aes-cbc-plain64be", 128},
};

class LuksLayouts : public testing::Test {
 protected:
  void SetUp() override {
    if (!image_.run("--version")) GTEST_SKIP() << "cryptsetup is not installed";
  }
  // Init says what cryptsetup says of the same header. Returns the version.
  unsigned expect_same() {
    const kd::Fd fd(::open(image_.path().c_str(), O_RDONLY));
    FileReader device(fd.get());
    std::vector<char> buffer(kMaxJsonBytes);
    Header header;
    const char* problem = read_header(device, buffer, header);
    EXPECT_EQ(problem, nullptr) << problem;
    EXPECT_TRUE(image_.run("luksUUID " + image_.path()));
    EXPECT_EQ(image_.output(), std::string(header.uuid.view()) + "\n");
    EXPECT_EQ(header.length, 0u);
    EXPECT_EQ(header.iv_offset, 0u);
    header.version == 1 ? expect_first(header) : expect_second(header);
    return header.version;
  }
  // To what is there, with the one passphrase. False where there is no room for it.
  [[nodiscard]] bool change(const std::string& command, const std::string& after = "") {
    return image_.run(command + " -q --key-file " + image_.key() + " " + image_.path() + after);
  }
  [[nodiscard]] bool add_key(const std::string& options) {
    return change(std::string("luksAddKey ") + EncryptedImage::kFast + options, " " + image_.key());
  }
  EncryptedImage image_;

 private:
  void expect_first(const Header& header) {
    EXPECT_TRUE(image_.run("luksDump " + image_.path()));
    const std::string dump = image_.output();
    const std::string_view cipher = header.cipher.view();
    EXPECT_THAT(dump,
                HasSubstr("Cipher name:   \t" + std::string(cipher.substr(0, cipher.find('-')))));
    EXPECT_THAT(dump,
                HasSubstr("Cipher mode:   \t" + std::string(cipher.substr(cipher.find('-') + 1))));
    EXPECT_THAT(dump, HasSubstr("Payload offset:\t" + std::to_string(header.offset / 512) + "\n"));
    EXPECT_THAT(dump, HasSubstr("MK bits:       \t" + std::to_string(header.key_size * 8) + "\n"));
    EXPECT_EQ(header.sector_size, 512u);
  }
  void expect_second(const Header& header) {
    EXPECT_TRUE(image_.run("luksDump --dump-json-metadata " + image_.path()));
    const auto json = nlohmann::json::parse(image_.output());
    const auto segment = json["segments"]["0"];
    const std::string slot = json["digests"]["0"]["keyslots"][0];
    EXPECT_EQ(header.cipher.view(), segment["encryption"].get<std::string>());
    EXPECT_EQ(std::to_string(header.offset), segment["offset"].get<std::string>());
    EXPECT_EQ(header.sector_size, segment["sector_size"]);
    EXPECT_EQ(header.key_size, json["keyslots"][slot]["key_size"]);
  }
};

TEST_F(LuksLayouts, AreReadAsByCryptsetup) {
  for (const char* options : {
           "--type luks1",
           "--type luks1 --cipher aes-cbc-essiv:sha256 --key-size 256",
           "--type luks1 --key-size 256 --align-payload 8192",
           "--type luks2 --sector-size 512",
           "--type luks2 --sector-size 4096",
           "--type luks2 --cipher aes-cbc-essiv:sha256 --key-size 128 --sector-size 2048",
           "--type luks2 --luks2-metadata-size 64k --luks2-keyslots-size 8m",
           "--type luks2 --luks2-metadata-size 4m --offset 65536 --label a\\\"b",
       }) {
    SCOPED_TRACE(options);
    ASSERT_TRUE(image_.format(options)) << image_.output();
    expect_same();
  }
}

// Made at random, and changed afterwards; the seed is fixed, so a failure can be looked at again.
TEST_F(LuksLayouts, ThatWereGeneratedAreReadAsByCryptsetup) {
  constexpr unsigned kLayouts = 40;
  unsigned versions[3] = {};
  for (unsigned seed = 0; seed < kLayouts; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](std::size_t count) { return random() % count; };
    const auto one_of = [&](const std::vector<std::string>& words) {
      return words[below(words.size())];
    };
    const auto& [cipher, bits] = kCiphers[below(std::size(kCiphers))];
    std::string options = "--cipher " + std::string(cipher) + " --key-size " + std::to_string(bits);
    if (seed % 3 == 0) {
      options += " --type luks1" + one_of({"", " --align-payload 64", " --offset 8192"});
    } else {
      // Sectors of the data as of old drives or new ones; the areas as cryptsetup lays them out, or
      // as large or small as it allows.
      options += " --type luks2 --sector-size " + one_of({"512", "1024", "2048", "4096"}) +
                 one_of({"", " --luks2-metadata-size 32k", " --luks2-metadata-size 512k",
                         " --luks2-metadata-size 4m"}) +
                 one_of({"", " --luks2-keyslots-size 4m", " --luks2-keyslots-size 12m"}) +
                 one_of({"", " --offset 49152", " --offset 65536"}) +
                 one_of({"", " --label kdump", " --subsystem \"a {b}\""});
    }
    SCOPED_TRACE(std::to_string(seed) + ": " + options);
    ASSERT_TRUE(image_.format(options)) << image_.output();
    const std::size_t keys = below(4);
    for (std::size_t slot = 1; slot <= keys; ++slot) {
      ASSERT_TRUE(add_key("--key-slot " + std::to_string(2 * slot))) << image_.output();
    }
    // A slot with another key than the volume's takes the place of the first one.
    if (keys > 0 && seed % 3 != 0) {
      ASSERT_TRUE(change("luksKillSlot", " 0")) << image_.output();
      ASSERT_TRUE(add_key("--unbound --key-slot 0 --key-size 64")) << image_.output();
    }
    ++versions[expect_same()];
    // Where the areas of the one have room for those of the other.
    const std::string other = seed % 3 == 0 ? "luks2 " : "luks1 ";
    if (below(2) == 0 && image_.run("convert -q --type " + other + image_.path())) {
      ++versions[expect_same()];
    }
  }
  EXPECT_GE(versions[1], 10u);
  EXPECT_GE(versions[2], 25u);
}

}  // namespace
}  // namespace kdinit::luks
