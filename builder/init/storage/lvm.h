// SPDX-License-Identifier: GPL-2.0-or-later
//
// LVM2 as it stands on disks: label, metadata areas and the text in them. Pure, bounded, without a
// heap; shared by init, which makes the tables of what it reads at the crash, and by the builder,
// which proves with it that init will understand this group. Format: lib/label/label.h and
// lib/format_text/{layout.h,format-text.c,import_vsn1.c,flags.c} of lvm2.
//
// How to get from disks to a volume:
//   for each device: read_label(); for each of its areas: read_text() and read_summary()
//   of all texts of the group take the one with the highest seqno, then find_volume()
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/storage/block_reader.h"
#include "builder/init/text.h"

namespace kdinit::lvm {

// Without its dashes, as the label has it; equal ids compare equal.
struct Id {
  std::array<char, 32> characters{};
  friend bool operator==(const Id&, const Id&) = default;
};
// From the form "6-4-4-4-4-4-6" that lvm prints; false for anything else.
bool parse_id(std::string_view text, Id& id);
void put_id(const Id& id, TextBuffer& out);  // with its dashes

// lvm makes areas of a MiB, of which a text takes less than half. What is larger is refused.
inline constexpr std::size_t kMaxTextBytes = std::size_t{512} << 10;
inline constexpr std::size_t kMaxAreas = 4;  // lvm makes at most 2
inline constexpr std::size_t kMaxPhysicalVolumes = 64;
inline constexpr std::size_t kMaxSegments = 512;
inline constexpr std::size_t kMaxStripes = 1024;  // of all segments together
inline constexpr std::size_t kMaxDevices = 24;    // a raid1 of 10 legs, lvm's most, has 21

struct Area {
  std::uint64_t offset = 0;  // bytes
  std::uint64_t size = 0;
};

struct Label {
  Id physical_volume;
  List<Area, kMaxAreas> areas;  // of metadata; a physical volume may have none
};

enum class LabelState {
  kNone,     // no label in the first four sectors
  kFound,    //
  kDamaged,  // a label with a wrong checksum or that points outside of itself
};
LabelState read_label(BlockReader& device, Label& label);

enum class TextState {
  kValid,     // checksum and bounds are right
  kNoText,    // an area that lvm was told to ignore, or of a physical volume without a group
  kDamaged,   // header or text; lvm goes on with the other areas of the group
  kTooLarge,  // for the buffer
};
// The committed text of one area, in `buffer`, where `text` then points.
TextState read_text(BlockReader& device, const Area& area, std::span<char> buffer,
                    std::string_view& text);

struct Summary {
  Id group;
  std::uint64_t seqno = 0;
};
// False when the text is not one of a volume group; `seqno` is left alone then.
bool read_summary(std::string_view text, Summary& summary);

// Why a volume is not assembled: `what` is nullptr when it may be. `detail`, a part of the text, is
// a name, a flag or a type; it may be empty.
struct Refusal {
  const char* what = nullptr;
  std::string_view detail;
  [[nodiscard]] bool refused() const { return what != nullptr; }
};
inline constexpr Refusal kDamaged{"the metadata of the group is damaged", {}};

struct PhysicalVolume {
  Id id;
  bool needed = false;          // by the volume
  bool missing = false;         // lvm has marked it so
  bool present = false;         // see mark_missing()
  std::uint64_t pe_start = 0;   // sectors of 512 bytes
  std::uint64_t pe_count = 0;   // extents
  std::string_view name;        // "pv0", inside the text only
  std::string_view bad_flag{};  // one that forbids its use
};

struct Stripe {
  // Index into Volume::physical_volumes; of what is made of other devices into Volume::devices.
  std::uint32_t below = 0;
  std::uint64_t start = 0;  // sector on it
};

enum class SegmentKind {
  kStriped,   // of one stripe: linear
  kRaid1,     // for each leg two stripes: where the kernel keeps its state, and the data
  kThinPool,  // of two stripes: its metadata and its data; see Volume::pool
  kThin,      // of one: the pool
};

struct Segment {
  SegmentKind kind = SegmentKind::kStriped;
  std::uint64_t start = 0;         // sector of the device
  std::uint64_t length = 0;        // sectors
  std::uint32_t first_stripe = 0;  // index into Volume::stripes
  std::uint32_t stripe_count = 0;
  // Sectors, 0 when linear; of a raid1 those of a region, of a pool those of a chunk.
  std::uint64_t stripe_size = 0;
};

// What the kernel makes a device of: the volume, or a part of it that lvm hides.
struct Device {
  std::string_view name;
  Id id;
  std::uint32_t first_segment = 0;  // index into Volume::segments; in order, without gaps
  std::uint32_t segment_count = 0;
  bool missing = false;  // see mark_missing()
  // What lvm ends its uuid with, so that nobody takes it for a volume: "tmeta", "tdata",
  // kPoolLayer.
  std::string_view layer{};
};
inline constexpr std::string_view kPoolLayer = "tpool";

enum class Discards { kPassDown, kNoPassDown, kIgnore };

// What the text says of the pool that a thin volume takes its blocks from.
struct ThinPool {
  std::string_view name{};  // empty: the volume is not thin
  std::uint64_t transaction = 0;
  bool pending = false;  // the last transaction may not have reached the pool yet
  bool zero = false;     // new blocks are filled with zeros
  Discards discards = Discards::kPassDown;
  std::uint64_t chunk = 0;      // sectors
  std::uint64_t promised = 0;   // chunks that its volumes have together, in use or not
  std::uint64_t volume_id = 0;  // of the volume, in the pool
};

// Some 50 KiB, all zero at first: make it a static one, and its pages are taken as they are used.
struct Volume {
  std::string_view group_name;  // a part of the text, as all names
  Id group, id;
  List<PhysicalVolume, kMaxPhysicalVolumes> physical_volumes;  // all of the group
  // Each after those that it is made of; the last one is the volume.
  List<Device, kMaxDevices> devices;
  List<Segment, kMaxSegments> segments;
  List<Stripe, kMaxStripes> stripes;
  ThinPool pool;
  // The volume itself; only of one that was not refused.
  [[nodiscard]] const Device& top() const { return devices.items[devices.count - 1]; }
};

// The layout of the volume `id`, or why not: anything but linear, striped, raid1 and thin segments,
// the parts of which are linear or striped, on physical volumes that are not marked missing, of
// which a raid1 needs those of one leg; a volume that another one is made of or that has snapshots
// other than thin ones; a group that is exported, clustered or shared; what cannot be written;
// flags and settings not known here.
Refusal find_volume(std::string_view text, const Id& id, Volume& volume);

// Marks the devices that cannot be made, as not all they need is `present`: a raid1 needs one leg.
// False when the volume is one of them.
bool mark_missing(Volume& volume);

std::span<const Segment> segments_of(const Volume& volume, const Device& device);
std::span<const Stripe> stripes_of(const Volume& volume, const Segment& segment);
// A leg of a raid1 by its two stripes.
bool has_leg(const Volume& volume, const Stripe& metadata, const Stripe& data);

// Where the metadata of the pool of a thin volume begin, with no less than a chunk of dm-stripe, 4
// KiB.
struct Place {
  const PhysicalVolume& physical_volume;
  std::uint64_t offset = 0;  // bytes
};
Place pool_metadata(const Volume& volume);

// As lvm names devices, so that it finds the volume active later: "group-name" with each dash of
// the two names doubled, and "-tpool" for a pool below its volumes; "LVM-", both ids and the layer
// (libdm/libdm-string.c, dm_build_dm_name; build_dm_uuid() of lib/misc/lvm-string.c).
void put_dm_name(const Volume& volume, const Device& device, TextBuffer& out);
void put_dm_uuid(const Id& group, const Id& volume, TextBuffer& out, std::string_view layer = {});

}  // namespace kdinit::lvm
