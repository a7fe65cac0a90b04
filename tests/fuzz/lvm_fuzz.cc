// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "builder/init/storage/lvm.h"

namespace {

namespace lvm = kdinit::lvm;

constinit lvm::Volume volume;
constinit char buffer[4096];

void must(bool condition) {
  if (!condition) __builtin_trap();
}

class Device final : public kdinit::BlockReader {
 public:
  explicit Device(std::string_view bytes) : bytes_(bytes) {}
  int read(std::uint64_t offset, void* to, std::size_t length) override {
    if (length > bytes_.size() || offset > bytes_.size() - length) return ENXIO;
    std::memcpy(to, bytes_.data() + offset, length);
    return 0;
  }
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

// Every segment lies on its physical volumes, and they follow each other.
void check_volume() {
  std::uint64_t next = 0;
  for (const lvm::Segment& segment : volume.segments) {
    must(segment.start == next && segment.length > 0 && segment.stripe_count > 0);
    must(segment.first_stripe + segment.stripe_count <= volume.stripes.count);
    must(segment.stripe_count == 1 || segment.stripe_size > 0);
    next += segment.length;
  }
  must(next > 0);
  for (const lvm::Stripe& stripe : volume.stripes) {
    must(stripe.physical_volume < volume.physical_volumes.count);
    must(volume.physical_volumes.items[stripe.physical_volume].needed);
  }
}

}  // namespace

// The input is a device, and a text as well: no mutation finds the checksum of one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Device device(text);
  lvm::Label label;
  std::string_view read;
  if (lvm::read_label(device, label) == lvm::LabelState::kFound) {
    for (const lvm::Area& area : label.areas) lvm::read_text(device, area, buffer, read);
  }
  lvm::read_text(device, {.offset = 0, .size = size}, buffer, read);

  lvm::Summary summary;
  const bool group = lvm::read_summary(text, summary);
  lvm::Id id;
  std::fill(id.characters.begin(), id.characters.end(), 'a');
  if (!lvm::find_volume(text, id, volume).refused()) {
    must(group || summary.seqno == 0);
    check_volume();
    kdinit::Text<300> name;
    lvm::put_dm_name(volume, name);
  }
  return 0;
}
