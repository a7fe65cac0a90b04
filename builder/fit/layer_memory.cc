// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/layer_memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace kd {
namespace {

// Of a mapped device: its queue, two pools of 16 bios, the work queue that flushes it with a thread
// for emergencies (dm_alloc_md_mempools() and alloc_dev() in drivers/md/dm.c), its table. Ten
// linear ones took 0.5 MiB of Linux 6.1 with one CPU; the rest is for tables of many segments and
// what init reads them from. What the module takes is counted with the modules.
constexpr std::uint64_t kVolume = 256 << 10;

std::uint64_t count(const std::vector<RequiredLayer>& layers, kdinit::LayerKind kind) {
  return static_cast<std::uint64_t>(std::ranges::count(layers, kind, &RequiredLayer::kind));
}

}  // namespace

std::vector<Term> layer_terms(const std::vector<RequiredLayer>& layers) {
  std::vector<Term> terms;
  if (const std::uint64_t volumes = count(layers, kdinit::LayerKind::kLvm); volumes > 0) {
    terms.push_back(
        {"logical volumes", volumes * kVolume, fmt::format("{} KiB for each", kVolume >> 10)});
  }
  return terms;
}

}  // namespace kd
