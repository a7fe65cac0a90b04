// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/kernel.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>

namespace kd {
namespace {

constexpr std::string_view kModuleRoots[] = {"/lib/modules", "/usr/lib/modules"};

struct VersionLess {
  bool operator()(const std::string& a, const std::string& b) const { return newer_release(b, a); }
};

std::string available_versions(const FileReader& reader) {
  std::set<std::string, VersionLess> versions;
  for (const std::string_view root : kModuleRoots) {
    for (const std::string& name : reader.list(root).value_or(std::vector<std::string>{})) {
      versions.insert(name);
    }
  }
  return versions.empty() ? "there is none"
                          : fmt::format("there are: {}", fmt::join(versions, " "));
}

template <typename... Paths>
std::string first_existing(const FileReader& reader, const Paths&... paths) {
  std::string found;
  for (const std::string& path : {std::string(paths)...}) {
    const Result<FileStatus> status = reader.status(path);
    if (found.empty() && status && status->type == FileType::kRegular) found = path;
  }
  return found;
}

}  // namespace

bool is_kernel_version(std::string_view version) {
  return !version.empty() && version.size() < 200 &&
         std::isalnum(static_cast<unsigned char>(version.front())) != 0 &&
         std::ranges::all_of(version, [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

bool newer_release(const std::string& a, const std::string& b) {
  return ::strverscmp(a.c_str(), b.c_str()) > 0;
}

bool config_has(std::string_view config, std::string_view option) {
  const std::string line = fmt::format("{}=y", option);
  for (std::size_t at = config.find(line); at != std::string_view::npos;
       at = config.find(line, at + 1)) {
    const std::string_view rest = config.substr(at + line.size());
    if ((at == 0 || config[at - 1] == '\n') && (rest.empty() || rest.front() == '\n')) return true;
  }
  return false;
}

std::string kernel_config(const FileReader& reader, std::string_view version) {
  if (!is_kernel_version(version)) return {};
  const std::string path = first_existing(reader, fmt::format("/boot/config-{}", version),
                                          fmt::format("{}/{}/config", kModuleRoots[0], version),
                                          fmt::format("{}/{}/config", kModuleRoots[1], version));
  return path.empty() ? path : reader.read(path).value_or("");
}

bool KernelFacts::may_have(std::string_view option) const {
  return config.find("CONFIG_") == std::string::npos || has(option);
}

bool KernelFacts::has(std::string_view option) const { return config_has(config, option); }

Result<KernelFacts> gather_kernel(const RootedReader& reader, std::string_view version) {
  if (!is_kernel_version(version)) {
    const bool printable =
        std::ranges::all_of(version, [](char c) { return c >= ' ' && c < 0x7f; });
    return fail(
        ErrorKind::kUsage,
        "'{}' is no kernel version: give one as uname -r prints it, for example 6.1.0-18-amd64",
        printable ? version : "...");
  }
  KernelFacts facts;
  facts.version = version;
  for (const std::string_view root : kModuleRoots) {
    const std::string path = fmt::format("{}/{}", root, version);
    const Result<FileStatus> status = reader.status(path);
    if (facts.modules_dir.empty() && status && status->type == FileType::kDirectory) {
      facts.modules_dir = path;
    }
  }
  if (facts.modules_dir.empty()) {
    return fail(ErrorKind::kKernelNotFound,
                "no modules of kernel {} in /lib/modules or /usr/lib/modules; {}", version,
                available_versions(reader));
  }
  KD_TRY(facts.modules_dir_host, reader.host_path(facts.modules_dir));
  facts.config = kernel_config(reader, version);
  facts.vmlinuz =
      first_existing(reader, fmt::format("/boot/vmlinuz-{}", version),
                     fmt::format("/boot/vmlinux-{}", version), facts.modules_dir + "/vmlinuz");
  if (!facts.vmlinuz.empty()) {
    KD_TRY(const FileStatus file, reader.status(facts.vmlinuz));
    KD_TRY(const std::string start, read_start(reader, facts.vmlinuz));
    Result<KernelImage> image =
        parse_kernel_image(start, file.size, facts.has("CONFIG_AMD_MEM_ENCRYPT"));
    if (!image) return in_context(facts.vmlinuz, std::move(image).error());
    facts.image = *image;
  }
  return facts;
}

}  // namespace kd
