// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a volume is made of, and how its devices are called.
#include <algorithm>

#include "builder/init/storage/lvm.h"

namespace kdinit::lvm {
namespace {

// Of the last one in the list, what lies below is known already.
bool is_whole(const Volume& volume, const Segment& segment) {
  const std::span<const Stripe> stripes = stripes_of(volume, segment);
  switch (segment.kind) {
    case SegmentKind::kStriped:
      return std::all_of(stripes.begin(), stripes.end(), [&volume](const Stripe& stripe) {
        return volume.physical_volumes.items[stripe.below].present;
      });
    case SegmentKind::kThinPool:
    case SegmentKind::kThin:
      return std::none_of(stripes.begin(), stripes.end(), [&volume](const Stripe& stripe) {
        return volume.devices.items[stripe.below].missing;
      });
    case SegmentKind::kRaid1:
      break;
  }
  bool whole = false;
  for (std::size_t i = 0; i < stripes.size(); i += 2) {
    whole = whole || has_leg(volume, stripes[i], stripes[i + 1]);
  }
  return whole;
}

}  // namespace

std::span<const Segment> segments_of(const Volume& volume, const Device& device) {
  return std::span(volume.segments.items).subspan(device.first_segment, device.segment_count);
}

std::span<const Stripe> stripes_of(const Volume& volume, const Segment& segment) {
  return std::span(volume.stripes.items).subspan(segment.first_stripe, segment.stripe_count);
}

bool has_leg(const Volume& volume, const Stripe& metadata, const Stripe& data) {
  return !volume.devices.items[metadata.below].missing && !volume.devices.items[data.below].missing;
}

bool mark_missing(Volume& volume) {
  bool missing = true;
  for (std::size_t i = 0; i < volume.devices.count; ++i) {
    Device& device = volume.devices.items[i];
    const std::span<const Segment> segments = segments_of(volume, device);
    missing = device.missing =
        !std::all_of(segments.begin(), segments.end(),
                     [&volume](const Segment& segment) { return is_whole(volume, segment); });
  }
  return !missing;
}

Place pool_metadata(const Volume& volume) {
  constexpr std::uint64_t kSector = 512;
  const auto first_of = [&volume](const Device& device) -> const Stripe& {
    return stripes_of(volume, segments_of(volume, device).front()).front();
  };
  const Device& pool = volume.devices.items[first_of(volume.top()).below];
  const Stripe& first = first_of(volume.devices.items[first_of(pool).below]);
  return {volume.physical_volumes.items[first.below], first.start * kSector};
}

void put_dm_name(const Volume& volume, const Device& device, TextBuffer& out) {
  for (const std::string_view name : {volume.group_name, device.name}) {
    if (name.data() == device.name.data()) out.put('-');
    for (const char c : name) c == '-' ? out.put("--") : out.put(c);
  }
  if (device.layer == kPoolLayer) out.put('-', device.layer);
}

void put_dm_uuid(const Id& group, const Id& volume, TextBuffer& out, std::string_view layer) {
  out.put("LVM-");
  for (const Id& id : {group, volume}) {
    out.put(std::string_view(id.characters.data(), id.characters.size()));
  }
  if (!layer.empty()) out.put('-', layer);
}

}  // namespace kdinit::lvm
