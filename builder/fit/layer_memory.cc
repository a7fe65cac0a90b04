// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/layer_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace kd {
namespace {

// Of a mapped device: its queue, two pools of 16 bios, the work queue that flushes it with a thread
// for emergencies (dm_alloc_md_mempools() and alloc_dev() in drivers/md/dm.c), its table. Ten
// linear ones took 0.5 MiB of Linux 6.1 with one CPU; the rest is for tables of many segments and
// what init reads them from. What the module takes is counted with the modules.
constexpr std::uint64_t kMappedDevice = 256 << 10;

// Of an array: a pool of 256 requests, barriers, a thread, pages of each member's superblocks and
// bad blocks, and what init reads of them. A raid1 of two disks took 0.75 MiB of Linux 6.1.
constexpr std::uint64_t kArray = 768 << 10;
// Of a raid1 volume beside that of a volume: an array, and two mapped devices for each of its legs.
constexpr std::uint64_t kRaid1Volume = kArray + (256 << 10);
// Of a thin volume beside that of a volume: three mapped devices more, and of the pool 1024
// mappings and 1024 cells kept for what is being written, a table of 8192 cells to sort
// (pool_create() in drivers/md/dm-thin.c), 512 KiB of pages to copy blocks with
// (dm_kcopyd_client_create()), and what it has read of its metadata: up to 2 % of the memory
// (DM_BUFIO_MEMORY_PERCENT in dm-bufio.c), of which a dump of 1 GiB in chunks of 64 KiB changes 0.5
// MiB.
constexpr std::uint64_t kThinVolume = std::uint64_t{1536} << 10;
// An array with parity starts with 256 stripes, of which each disk has a page, two bios and their
// vectors (setup_conf() in drivers/md/raid5.c).
constexpr std::uint64_t kStripeDisk = 1152 << 10;
// Of dm-crypt: 256 pages that it keeps for itself (crypt_ctr() in drivers/md/dm-crypt.c), and as
// many for what is being written. It takes more where there is more, up to kMaxEncryptedBytes, and
// waits for its own pages where there is not, by which a dump takes no longer.
constexpr std::uint64_t kCryptPages = std::uint64_t{2} << 20;

struct Cost {
  kdinit::LayerKind kind;
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array kCosts = {
    Cost{kdinit::LayerKind::kLvm, "logical volumes", kMappedDevice},
    // Of bios, so there is no queue of requests.
    Cost{kdinit::LayerKind::kMultipath, "multipath disks", kMappedDevice},
    Cost{kdinit::LayerKind::kMd, "arrays of md", kArray},
    Cost{kdinit::LayerKind::kLuks, "encrypted volumes", kMappedDevice + kCryptPages},
};

}  // namespace

std::vector<Term> layer_terms(const std::vector<RequiredLayer>& layers) {
  std::vector<Term> terms;
  for (const auto& [kind, name, bytes] : kCosts) {
    const auto count =
        static_cast<std::uint64_t>(std::ranges::count(layers, kind, &RequiredLayer::kind));
    if (count == 0) continue;
    terms.push_back(
        {std::string(name), count * bytes, fmt::format("{} KiB for each", bytes >> 10)});
  }
  std::uint64_t disks = 0;
  for (const RequiredLayer& layer : layers) disks += layer.stripe_disks;
  if (const auto count =
          static_cast<std::uint64_t>(std::ranges::count(layers, true, &RequiredLayer::raid1))) {
    terms.push_back({"raid1 volumes", count * kRaid1Volume,
                     fmt::format("{} KiB for each", kRaid1Volume >> 10)});
  }
  if (const auto count =
          static_cast<std::uint64_t>(std::ranges::count(layers, true, &RequiredLayer::thin))) {
    terms.push_back(
        {"thin volumes", count * kThinVolume, fmt::format("{} KiB for each", kThinVolume >> 10)});
  }
  if (disks > 0) {
    terms.push_back({"stripes of md", disks * kStripeDisk,
                     fmt::format("{} disks with parity, {} KiB each", disks, kStripeDisk >> 10)});
  }
  return terms;
}

}  // namespace kd
