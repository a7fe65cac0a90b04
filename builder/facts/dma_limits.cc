// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/dma_limits.h"

#include <algorithm>

namespace kd {
namespace {

// The words of the first line of flags, with a blank on each side.
std::string flags_of(std::string_view cpuinfo) {
  constexpr std::string_view kLabel = "\nflags";
  const std::size_t start = cpuinfo.find(kLabel);
  if (start == std::string_view::npos) return {};
  std::string_view line = cpuinfo.substr(start + kLabel.size());
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(std::min(line.find(':'), line.size()));
  return std::string(line) + " ";
}

}  // namespace

std::vector<std::string> parse_memory_encryption(std::string_view cpuinfo) {
  const std::string flags = flags_of(cpuinfo);
  const auto has = [&flags](std::string_view flag) {
    return flags.find(fmt::format(" {} ", flag)) != std::string::npos;
  };
  std::vector<std::string> found;
  if (has("hypervisor") && (has("sev") || has("sev_es") || has("sev_snp"))) {
    found.emplace_back(kSev);
  }
  if (has("tdx_guest")) found.emplace_back(kTdx);
  if (has("sme")) found.emplace_back(kSme);
  return found;
}

std::vector<std::string> read_dma_limits(const FileReader& reader) {
  std::vector<std::string> limits =
      parse_memory_encryption(reader.read("/proc/cpuinfo").value_or(""));
  if (reader.exists("/sys/firmware/acpi/tables/SRAT")) limits.emplace_back(kSrat);
  return limits;
}

}  // namespace kd
