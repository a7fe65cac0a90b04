// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/initramfs_tools.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "builder/base/atomic_file.h"
#include "builder/base/fd.h"
#include "builder/facts/initramfs_config.h"
#include "builder/facts/system_text.h"
#include "hooks/initramfs_inputs.h"
#include "hooks/state.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemplate = "/etc/initramfs-tools";
// Read last: files of this directory are taken by name.
constexpr std::string_view kPolicyFile = "conf.d/zzzzzz-kdump";

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

// A directory of one run, with a name of its own, gone with the object. Its lock tells a later run
// that nobody works in it any more: a killed run leaves it behind.
class WorkDirectory {
 public:
  static Result<WorkDirectory> create(const fs::path& data) {
    remove_left_behind(data);
    std::string path = (data / kName).string() + ".XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return fail_errno(errno, path);
    Fd lock = open_locked(path);
    if (!lock.valid()) return fail_errno(errno, path);
    return WorkDirectory(std::move(lock), path);
  }
  ~WorkDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  WorkDirectory(WorkDirectory&& other) noexcept
      : lock_(std::move(other.lock_)), path_(std::exchange(other.path_, {})) {}
  WorkDirectory& operator=(WorkDirectory&&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  static constexpr std::string_view kName = "initramfs-tools";
  WorkDirectory(Fd lock, fs::path path) : lock_(std::move(lock)), path_(std::move(path)) {}
  static Fd open_locked(const fs::path& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 ? std::move(fd) : Fd();
  }
  static void remove_left_behind(const fs::path& data) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(data, error)) {
      if (!entry.path().filename().string().starts_with(kName)) continue;
      std::error_code ignored;
      if (open_locked(entry.path()).valid()) fs::remove_all(entry.path(), ignored);
    }
  }

  Fd lock_;
  fs::path path_;
};

Result<void> write_text(const fs::path& path, std::string_view text, std::uint32_t mode,
                        std::ios::openmode how = std::ios::trunc) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary | how);
  out << text;
  out.close();
  if (!out) return fail(ErrorKind::kFailed, "cannot write {}", path.string());
  fs::permissions(path, fs::perms(mode), error);
  if (error) return fail_errno(error.value(), path.string());
  return {};
}

// Contents in place of links: what is written into the copy reaches nothing else, and a link that
// names its file by "../.." still means it.
Result<void> copy_tree(const FileReader& reader, const std::string& from, const fs::path& to,
                       int depth = 0) {
  constexpr int kDeepest = 8;
  if (depth > kDeepest) {
    return fail(ErrorKind::kFailed,
                "{}: more than {} levels; does a link lead to its own directory?", from, kDeepest);
  }
  std::error_code error;
  fs::create_directories(to, error);
  if (error) return fail_errno(error.value(), to.string());
  KD_TRY(const std::vector<std::string> names, reader.list(from));
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", from, name);
    const Result<FileStatus> status = reader.status(path);
    if (!status) continue;  // a link to nowhere
    if (status->type == FileType::kDirectory) {
      KD_CHECK(copy_tree(reader, path, to / name, depth + 1));
    } else if (status->type == FileType::kRegular) {
      KD_TRY(const std::string text, reader.read(path));
      KD_CHECK(write_text(to / name, text, status->mode | 0600));
    }
  }
  return {};
}

// A private copy of /etc/initramfs-tools that makes a small image.
Result<void> make_confdir(const Context& context, const fs::path& confdir) {
  if (!context.reader.exists(kTemplate)) {
    return fail(ErrorKind::kFailed, "{} is missing; install initramfs-tools-core", kTemplate);
  }
  KD_CHECK(copy_tree(context.reader, std::string(kTemplate), confdir));
  // mkinitramfs runs these files as shell; of what cannot be read without one, only that is known.
  const std::string policy =
      read_initramfs_config(context.reader, kTemplate).value_or(InitramfsConfig{}).policy;
  if (policy.empty() || policy == "most") {
    KD_CHECK(write_text(confdir / kPolicyFile, "MODULES=dep\n", 0644));
  }
  // Without the handler that is in use, a path of a multipath device fails in the capture kernel.
  std::string handlers = "\n";
  for (const std::string& module :
       parse_loaded_modules(context.reader.read("/proc/modules").value_or(""))) {
    if (module.starts_with("scsi_dh_")) handlers += module + '\n';
  }
  KD_CHECK(write_text(confdir / "modules", handlers, 0644, std::ios::app));
  KD_CHECK(write_text(confdir / "hooks/kdump-sysctl", kSysctlHook, 0755));
  return write_text(confdir / "scripts/init-bottom/kdump-sysctl", kSysctlScript, 0755);
}

std::string inputs_path(std::string_view version) { return image_path(version) + ".inputs"; }

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

std::vector<std::string> changed_since_image(const RootedReader& reader, std::string_view version) {
  const Result<std::string> before = reader.read(inputs_path(version));
  if (!before) return {inputs_path(version)};
  return changed_paths(inputs_from_text(*before), initramfs_inputs(reader, version));
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
      changed_since_image(context.reader, version).empty()) {
    return {};
  }
  context.say(fmt::format("{}", why));
  context.say(fmt::format(
      "Generating {} with mkinitramfs instead: after a crash it boots the real root, and "
      "kdump-tools-dump.service saves the dump there",
      image));
  KD_TRY(const std::string data, context.reader.host_path(kDataDir));
  KD_TRY(const WorkDirectory work, WorkDirectory::create(data));
  const fs::path confdir = work.path() / "conf", made = work.path() / "initrd.img";
  // Before the run: what changes during it makes the image stale.
  const InitramfsInputs inputs = initramfs_inputs(context.reader, version);
  KD_CHECK(make_confdir(context, confdir));
  // The unit that loads at boot has the highest priority, for a second; this may take minutes.
  if (::getpriority(PRIO_PROCESS, 0) < 0) ::setpriority(PRIO_PROCESS, 0, 0);
  KD_TRY(const ProgramOutcome outcome,
         context.runner.run({*program, "-d", confdir, "-o", made, std::string(version)}));
  if (outcome.status != 0) {
    return fail(ErrorKind::kFailed, "mkinitramfs failed for {} with status {}:\n{}", image,
                outcome.status, outcome.output);
  }
  const std::string host_image = fmt::format("{}/initrd.img-{}", data, version);
  KD_CHECK(publish(made, host_image));
  KD_TRY(AtomicFile record, AtomicFile::create(host_image + ".inputs"));
  return write_file(record, to_text(inputs));
}

}  // namespace kd
