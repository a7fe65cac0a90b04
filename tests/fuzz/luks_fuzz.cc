// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "builder/init/storage/luks.h"

namespace {

namespace luks = kdinit::luks;

constinit char buffer[16384];

void must(bool condition) {
  if (!condition) __builtin_trap();
}

// The input, with zeros behind it as far as a header of LUKS2 goes.
class Device final : public kdinit::BlockReader {
 public:
  explicit Device(std::string_view bytes) : bytes_(bytes) {}
  int read(std::uint64_t offset, void* to, std::size_t length) override {
    if (length > size() || offset > size() - length) return ENXIO;
    std::memset(to, 0, length);
    if (offset < bytes_.size()) {
      std::memcpy(to, bytes_.data() + offset, std::min(length, bytes_.size() - offset));
    }
    return 0;
  }
  [[nodiscard]] std::uint64_t size() const override { return 64 << 10; }

 private:
  std::string_view bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Device device({reinterpret_cast<const char*>(data), size});
  luks::Header header;
  if (luks::read_header(device, buffer, header) != nullptr) return 0;
  must(header.version == 1 || header.version == 2);
  must(header.uuid.view().size() == 36 && !header.cipher.view().empty());
  must(header.cipher.view().find_first_of(" \n") == std::string_view::npos);
  must(header.key_size > 0 && header.key_size <= 256);
  must(header.sector_size >= 512 && header.sector_size <= 4096);
  must(header.offset > 0 && header.offset % 512 == 0 && header.length % header.sector_size == 0);
  return 0;
}
