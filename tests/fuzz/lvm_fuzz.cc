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

void check_stripes(const lvm::Segment& segment, std::size_t devices) {
  must(segment.first_stripe + segment.stripe_count <= volume.stripes.count);
  const bool parts = segment.kind != lvm::SegmentKind::kStriped;
  must(segment.kind != lvm::SegmentKind::kRaid1 || segment.stripe_count % 2 == 0);
  for (const lvm::Stripe& stripe : lvm::stripes_of(volume, segment)) {
    must(stripe.below < (parts ? devices : volume.physical_volumes.count));
    must(parts || volume.physical_volumes.items[stripe.below].needed);
  }
}

// Every device lies on physical volumes, or on those before it, and its segments follow each other.
void check_volume() {
  must(!volume.devices.empty() && lvm::mark_missing(volume));
  for (std::size_t i = 0; i < volume.devices.count; ++i) {
    const lvm::Device& device = volume.devices.items[i];
    must(device.first_segment + device.segment_count <= volume.segments.count);
    std::uint64_t next = 0;
    for (const lvm::Segment& segment : lvm::segments_of(volume, device)) {
      must(segment.start == next && segment.length > 0 && segment.stripe_count > 0);
      must(segment.stripe_count == 1 || segment.stripe_size > 0 ||
           segment.kind != lvm::SegmentKind::kStriped);
      check_stripes(segment, i);
      next += segment.length;
    }
    must(next > 0);
  }
}

// The device below the volume is the pool, and its metadata begin on a disk.
void check_pool() {
  must(volume.devices.count == 4 && volume.pool.chunk > 0 && volume.pool.promised > 0);
  must(volume.devices.items[2].layer == lvm::kPoolLayer);
  must(lvm::pool_metadata(volume).physical_volume.needed);
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
    if (!volume.pool.name.empty()) check_pool();
    kdinit::Text<300> name;
    lvm::put_dm_name(volume, volume.devices.items[0], name);
  }
  return 0;
}
