// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/filesystem_id.h"

#include <blkid/blkid.h>
#include <fcntl.h>

#include <memory>

#include "builder/base/fd.h"
#include "builder/facts/device_files.h"
#include "builder/init/storage/container.h"

namespace kd {
namespace {

using Probe = std::unique_ptr<blkid_struct_probe, decltype(&blkid_free_probe)>;

std::string probed_value(blkid_probe probe, const char* name) {
  const char* value = nullptr;
  return blkid_probe_lookup_value(probe, name, &value, nullptr) == 0 && value != nullptr ? value
                                                                                         : "";
}

FilesystemId probe_node(const std::string& host_path) {
  const Probe probe(blkid_new_probe_from_filename(host_path.c_str()), blkid_free_probe);
  if (!probe) return {};
  blkid_probe_enable_superblocks(probe.get(), 1);
  blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_UUID);
  if (blkid_do_safeprobe(probe.get()) != 0) return {};
  return {.uuid = probed_value(probe.get(), "UUID"),
          .journal = probed_value(probe.get(), "EXT_JOURNAL"),
          .container = {}};
}

std::string find_container(const std::string& host_path) {
  const Fd fd(::open(host_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return {};
  kdinit::FileReader device(fd.get());
  return std::string(kdinit::container_on(device));
}

}  // namespace

FilesystemId identify_filesystem(const RootedReader& reader, const std::string& device) {
  const std::string node = device_node(device);
  FilesystemId id;
  if (const Result<std::string> host_path = reader.host_path(node)) {
    id = probe_node(*host_path);
    id.container = find_container(*host_path);
    if (!id.uuid.empty()) return id;
  }
  const std::string links = "/dev/disk/by-uuid/";
  for (const std::string& uuid : reader.list(links).value_or(std::vector<std::string>{})) {
    if (reader.resolve(links + uuid).value_or("") != node) continue;
    id.uuid = uuid;
    break;
  }
  return id;
}

}  // namespace kd
