// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/initramfs_inputs.h"

#include <algorithm>

#include "builder/base/digest.h"

namespace kd {
namespace {

// Files and directories. Of /etc/lvm not archive/ and backup/, which lvm writes at every change of
// a volume and no hook copies.
constexpr std::string_view kPlaces[] = {"/etc/initramfs-tools", "/usr/share/initramfs-tools",
                                        "/etc/crypttab",        "/etc/cryptsetup-initramfs",
                                        "/etc/fstab",           "/etc/kdump/sysctl.conf",
                                        "/etc/lvm/lvm.conf",    "/etc/lvm/lvmlocal.conf",
                                        "/etc/lvm/profile",     "/etc/mdadm",
                                        "/etc/mdadm.conf",      "/etc/modprobe.d",
                                        "/etc/multipath",       "/etc/multipath.conf"};
// A link to its own directory would never end.
constexpr int kDeepest = 8;
constexpr std::size_t kDigestSize = 32;

void add(const FileReader& reader, const std::string& path, int depth, InitramfsInputs& inputs) {
  const Result<FileStatus> status = reader.status(path);
  if (!status || path.find('\n') != std::string::npos) return;
  if (status->type == FileType::kRegular) {
    if (Result<FileDigest> digest = digest_of_file(reader, path)) {
      inputs[path] = std::move(digest->digest);
    }
  } else if (status->type == FileType::kDirectory && depth < kDeepest) {
    for (const std::string& name : reader.list(path).value_or(std::vector<std::string>{})) {
      add(reader, fmt::format("{}/{}", path, name), depth + 1, inputs);
    }
  }
}

}  // namespace

InitramfsInputs initramfs_inputs(const FileReader& reader, std::string_view version) {
  InitramfsInputs inputs;
  for (const std::string_view place : kPlaces) add(reader, std::string(place), 0, inputs);
  add(reader, fmt::format("/lib/modules/{}/modules.dep", version), 0, inputs);
  return inputs;
}

std::string to_text(const InitramfsInputs& inputs) {
  std::string text;
  for (const auto& [path, digest] : inputs) text += fmt::format("{} {}\n", digest, path);
  return text;
}

InitramfsInputs inputs_from_text(std::string_view text) {
  InitramfsInputs inputs;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.size() <= kDigestSize + 1 || line[kDigestSize] != ' ') continue;
    inputs.emplace(line.substr(kDigestSize + 1), line.substr(0, kDigestSize));
  }
  return inputs;
}

std::vector<std::string> changed_paths(const InitramfsInputs& before, const InitramfsInputs& now) {
  std::vector<std::string> paths;
  const auto collect = [&paths](const InitramfsInputs& from, const InitramfsInputs& other) {
    for (const auto& [path, digest] : from) {
      const auto found = other.find(path);
      if (found == other.end() || found->second != digest) paths.push_back(path);
    }
  };
  collect(before, now);
  collect(now, before);
  std::ranges::sort(paths);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace kd
