// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/bounce_buffers.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "builder/facts/dma_limits.h"
#include "builder/policy/command_line.h"

namespace kd {
namespace {

constexpr std::uint64_t kSlab = 2048;
constexpr std::uint64_t kSlabsAligned = 128;
constexpr std::uint64_t kDefaultSlabs = (std::uint64_t{64} << 20) / kSlab;
constexpr std::uint64_t kSlotCost = 24;  // sizeof(struct io_tlb_slot)
constexpr std::uint64_t kMostSlabs = (std::uint64_t{1} << 40) / kSlab;
// PCs map devices below 4 GiB, and what memory has no place there then lies above.
constexpr std::uint64_t kAllBelowFourGiB = std::uint64_t{3} << 30;

struct Asked {
  std::uint64_t slabs = kDefaultSlabs;
  bool force = false, noforce = false;
  bool encrypt = false;
  bool iommu_soft = false, iommu_off = false, numa_off = false;
};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    words.push_back(text.substr(0, comma));
    if (comma == text.size()) return words;
    text.remove_prefix(comma + 1);
  }
}

// SLABS[,AREAS][,force|noforce]
void read_swiotlb(std::string_view value, Asked& asked) {
  const std::vector<std::string_view> words = words_of(value);
  std::uint64_t slabs = 0;
  const std::string_view first = words.front();
  const auto parsed = std::from_chars(first.data(), first.data() + first.size(), slabs);
  if (parsed.ec == std::errc{}) {
    slabs = std::min(slabs, kMostSlabs);
    asked.slabs = (slabs + kSlabsAligned - 1) / kSlabsAligned * kSlabsAligned;
  }
  asked.force = asked.force || words.back() == "force";
  asked.noforce = asked.noforce || words.back() == "noforce";
}

Asked read(std::string_view command_line) {
  Asked asked;
  for (const std::string& parameter : split_parameters(command_line)) {
    const std::string name = parameter_name(parameter);
    const std::size_t equals = parameter.find('=');
    const std::string_view value = equals == std::string::npos
                                       ? std::string_view()
                                       : std::string_view(parameter).substr(equals + 1);
    if (name == "swiotlb") read_swiotlb(value, asked);
    if (name == "mem_encrypt") asked.encrypt = value == "on";
    if (name == "numa") asked.numa_off = asked.numa_off || value == "off";
    if (name != "iommu") continue;
    for (const std::string_view word : words_of(value)) {
      asked.iommu_soft = asked.iommu_soft || word == "soft";
      asked.iommu_off = asked.iommu_off || word == "off";
    }
  }
  return asked;
}

std::string reason_for(const BounceBufferInput& input, const Asked& asked) {
  const auto has = [&input](std::string_view limit) {
    return std::ranges::find(input.limits, limit) != input.limits.end();
  };
  if (asked.force) return "swiotlb=force";
  if (has(kSev)) return "guest with encrypted memory (SEV)";
  if (has(kTdx)) return "guest with encrypted memory (TDX)";
  if (has(kSme) && asked.encrypt) return "mem_encrypt=on";
  if (asked.iommu_soft) return "iommu=soft";
  if (asked.iommu_off) return {};
  if (has(kHigh)) return "reservation above 4 GiB";
  // acpi_numa_memory_affinity_init() has memory that this kernel may never use.
  if (has(kSrat) && input.ram > kAllBelowFourGiB && !asked.numa_off) {
    return "NUMA table with memory above 4 GiB; numa=off spares it";
  }
  return {};
}

}  // namespace

BounceBuffers bounce_buffers(const BounceBufferInput& input) {
  const Asked asked = read(input.command_line);
  BounceBuffers buffers;
  if (asked.noforce) return buffers;
  buffers.reason = reason_for(input, asked);
  if (!buffers.reason.empty()) buffers.bytes = asked.slabs * (kSlab + kSlotCost);
  return buffers;
}

}  // namespace kd
