// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/pe_signature.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

// The headers of a PE32+ image, with `size` bytes of certificates behind it.
std::string pe_image(unsigned char size) {
  std::string image(0x200, '\0');
  image.replace(0, 2, "MZ");
  image[0x3c] = 0x40;
  image.replace(0x40, 2, "PE");
  image.replace(0x58, 2, "\x0b\x02");
  image[0x58 + 108] = 6;
  image[0x58 + 112 + 32 + 1] = 0x10;
  image[0x58 + 112 + 36] = static_cast<char>(size);
  return image;
}

TEST(PeSignature, IsACertificateTableThatIsNotEmpty) {
  EXPECT_TRUE(has_pe_signature(pe_image(200)));
  EXPECT_FALSE(has_pe_signature(pe_image(0)));
}

TEST(PeSignature, OtherFilesHaveNone) {
  EXPECT_FALSE(has_pe_signature(""));
  EXPECT_FALSE(
      has_pe_signature("\x7f"
                       "ELF"));
  std::string image = pe_image(200);
  image[0x58] = '\x07';  // PE32+ has 0x20b
  EXPECT_FALSE(has_pe_signature(image));
  image = pe_image(200);
  image[0x58 + 108] = 4;  // directories; that of certificates is the fifth
  EXPECT_FALSE(has_pe_signature(image));
  image = pe_image(200);
  image.replace(0x3c, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(has_pe_signature(image));
  for (std::size_t size = 0; size < 0x58 + 112 + 37; ++size) {
    EXPECT_FALSE(has_pe_signature(pe_image(200).substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace kd
