// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/multipath_disk.h"

#include <fmt/format.h>

#include <charconv>

#include "builder/facts/device_files.h"
#include "builder/init/storage/multipath_id.h"

namespace kd {
namespace {

constexpr std::string_view kMap = "mpath-", kPart = "part";

// The number in "part3-mpath-...", which is taken off; 0 when there is none.
std::uint64_t take_partition(std::string_view& uuid) {
  std::uint64_t number = 0;
  if (!uuid.starts_with(kPart)) return 0;
  const std::string_view rest = uuid.substr(kPart.size());
  const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  const std::string_view behind = rest.substr(static_cast<std::size_t>(stop - rest.data()));
  if (error != std::errc{} || !behind.starts_with('-')) return 0;
  uuid = behind.substr(1);
  return number;
}

// A path is switched by what the kernel has attached to it.
void add_path(const FileReader& reader, const std::string& name, std::string_view wwid,
              MultipathDisk& disk) {
  ++disk.paths;
  const std::string directory = fmt::format("/sys/class/block/{}/device", name);
  if (const std::string own = read_attribute(reader, directory + "/wwid"); own != wwid) {
    disk.problem = fmt::format("its path {} has {} in /sys", name,
                               own.empty() ? "no identity" : "another identity");
  }
  const std::string handler = read_attribute(reader, directory + "/dh_state");
  if (!handler.empty() && handler != "detached") disk.handler = handler;
}

}  // namespace

std::optional<MultipathDisk> find_multipath(const FileReader& reader, std::string_view uuid,
                                            const std::vector<std::string>& below) {
  MultipathDisk disk;
  disk.partition = take_partition(uuid);
  if (!uuid.starts_with(kMap)) return std::nullopt;
  kdinit::Text<256> wwid;
  if (!kdinit::multipath::put_wwid(uuid.substr(kMap.size()), wwid)) {
    disk.problem = "its identity is neither of NAA nor EUI-64";
  }
  kdinit::Text<17> digest;
  kdinit::multipath::put_digest(kdinit::multipath::digest(wwid.view()), digest);
  disk.digest = digest.view();
  if (disk.partition > 0) return disk;
  for (const std::string& name : below) {
    if (disk.problem.empty()) add_path(reader, name, wwid.view(), disk);
  }
  if (disk.problem.empty() && disk.paths == 0) disk.problem = "it has no path";
  return disk;
}

}  // namespace kd
