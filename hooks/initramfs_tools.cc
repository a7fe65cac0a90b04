// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/initramfs_tools.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "builder/base/fd.h"
#include "builder/facts/initramfs_config.h"
#include "builder/facts/system_text.h"
#include "hooks/state.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemplate = "/etc/initramfs-tools";

// /etc/kdump/sysctl.conf replaces what the real root would set: huge pages configured there would
// take all memory of the capture kernel. systemd-sysctl(8) reads files by name, the last one wins.
constexpr std::string_view kSysctlHook = R"(#!/bin/sh
[ "$1" != prereqs ] || exit 0
. /usr/share/initramfs-tools/hook-functions
[ ! -f /etc/kdump/sysctl.conf ] || copy_file config /etc/kdump/sysctl.conf
)";
constexpr std::string_view kSysctlScript = R"(#!/bin/sh
[ "$1" != prereqs ] || exit 0
[ -f /etc/kdump/sysctl.conf ] || exit 0
mkdir -p /run/sysctl.d && cp /etc/kdump/sysctl.conf /run/sysctl.d/zzz-kdump.conf
)";

Result<void> write_text(const fs::path& path, std::string_view text, bool program,
                        std::ios::openmode mode) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary | mode);
  out << text;
  out.close();
  if (!out) return fail(ErrorKind::kFailed, "cannot write {}", path.string());
  if (program) fs::permissions(path, fs::perms(0755), error);
  if (error) return fail_errno(error.value(), path.string());
  return {};
}

// A private copy of /etc/initramfs-tools that makes a small image.
Result<std::string> make_confdir(const Context& context, const fs::path& data) {
  const Result<std::string> source = context.reader.host_path(kTemplate);
  if (!source) {
    return fail(ErrorKind::kFailed, "{} is missing; install initramfs-tools-core", kTemplate);
  }
  const fs::path confdir = data / "initramfs-tools";
  std::error_code error;
  fs::remove_all(confdir, error);
  if (!error) {
    fs::copy(*source, confdir, fs::copy_options::recursive | fs::copy_options::copy_symlinks,
             error);
  }
  if (error) return fail_errno(error.value(), confdir.string());

  KD_TRY(const InitramfsConfig config, read_initramfs_config(context.reader, kTemplate));
  if (config.policy.empty() || config.policy == "most") {
    KD_CHECK(write_text(confdir / "conf.d/zzz-kdump", "MODULES=dep\n", false, std::ios::trunc));
  }
  // Without the handler that is in use, a path of a multipath device fails in the capture kernel.
  std::string handlers = "\n";
  for (const std::string& module :
       parse_loaded_modules(context.reader.read("/proc/modules").value_or(""))) {
    if (module.starts_with("scsi_dh_")) handlers += module + '\n';
  }
  KD_CHECK(write_text(confdir / "modules", handlers, false, std::ios::app));
  KD_CHECK(write_text(confdir / "hooks/kdump-sysctl", kSysctlHook, true, std::ios::trunc));
  KD_CHECK(write_text(confdir / "scripts/init-bottom/kdump-sysctl", kSysctlScript, true,
                      std::ios::trunc));
  return confdir.string();
}

Result<void> publish(const std::string& temporary, const std::string& image) {
  const Fd fd(::open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return fail_errno(errno, temporary);
  if (info.st_size == 0) return fail(ErrorKind::kFailed, "{} is empty", temporary);
  if (::fchmod(fd.get(), 0600) != 0 || ::fsync(fd.get()) != 0) return fail_errno(errno, temporary);
  // Without its manifest the old image is taken for one that boots the real root, which its init
  // does not mind; the other way round the dump would be lost.
  std::error_code error;
  fs::remove(image + ".manifest", error);
  if (!error) fs::rename(temporary, image, error);
  if (error) return fail_errno(error.value(), image);
  return {};
}

}  // namespace

std::vector<std::string> newer_than_image(const RootedReader& reader, std::string_view version) {
  const auto time_of = [&](std::string_view path) {
    std::error_code error;
    const Result<std::string> host = reader.host_path(path);
    const fs::file_time_type time = host ? fs::last_write_time(*host, error) : fs::file_time_type();
    return host && !error ? time : fs::file_time_type::min();
  };
  const fs::file_time_type built = time_of(image_path(version));
  std::vector<std::string> newer;
  for (std::string path :
       {fmt::format("/lib/modules/{}/modules.dep", version),
        std::string("/etc/initramfs-tools/initramfs.conf"),
        std::string("/etc/initramfs-tools/modules"), std::string("/etc/initramfs-tools/conf.d"),
        std::string("/etc/kdump/sysctl.conf"), std::string("/etc/fstab"),
        std::string(kKdumpConfigPath)}) {
    if (time_of(path) > built) newer.push_back(std::move(path));
  }
  return newer;
}

Result<void> build_with_initramfs_tools(const Context& context, std::string_view version,
                                        std::string_view why) {
  const std::optional<std::string> program = context.runner.find("mkinitramfs");
  if (!program) {
    return fail(ErrorKind::kTargetNotSupported,
                "{}\nWith initramfs-tools-core installed, an image that boots the real root would "
                "be built instead.",
                why);
  }
  if (!is_installed(context.reader, version)) {
    return fail(ErrorKind::kKernelNotFound, "no modules of kernel {} in /lib/modules", version);
  }
  const std::string image = image_path(version);
  if (has_image(context.reader, version) && !is_direct_image(context.reader, version) &&
      newer_than_image(context.reader, version).empty()) {
    return {};
  }
  context.say(fmt::format("{}", why));
  context.say(fmt::format(
      "Generating {} with mkinitramfs instead: after a crash it boots the real root, and "
      "kdump-tools-dump.service saves the dump there",
      image));
  KD_TRY(const std::string data, context.reader.host_path(kDataDir));
  KD_TRY(const std::string confdir, make_confdir(context, data));
  const std::string host_image = fmt::format("{}/initrd.img-{}", data, version);
  const std::string temporary = host_image + ".new";
  // The unit that loads at boot has the highest priority, for a second; this may take minutes.
  if (::getpriority(PRIO_PROCESS, 0) < 0) ::setpriority(PRIO_PROCESS, 0, 0);
  KD_TRY(const ProgramOutcome outcome,
         context.runner.run({*program, "-d", confdir, "-o", temporary, std::string(version)}));
  Result<void> published;
  if (outcome.status != 0) {
    published = fail(ErrorKind::kFailed, "mkinitramfs failed for {} with status {}:\n{}", image,
                     outcome.status, outcome.output);
  } else {
    published = publish(temporary, host_image);
  }
  if (!published) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
  }
  return published;
}

}  // namespace kd
