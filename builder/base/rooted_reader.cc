// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/rooted_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>

namespace kd {
namespace {

// The name the kernel has for an open file; the only race-free way to learn where links led.
Result<std::string> path_of(const Fd& fd) {
  std::error_code error;
  std::filesystem::path path =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd.get()), error);
  if (error) return fail_errno(error.value(), "/proc/self/fd");
  return path.string();
}

ssize_t read_some(const Fd& fd, char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, size);
    if (got >= 0 || errno != EINTR) return got;
  }
}

}  // namespace

Result<RootedReader> RootedReader::open(const std::string& root) {
  Fd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, root);
  KD_TRY(std::string host_root, path_of(fd));
  if (host_root.size() == 1) host_root.clear();
  return RootedReader(std::move(fd), std::move(host_root));
}

Result<Fd> RootedReader::open_in_root(std::string_view path, int flags) const {
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const std::string name(path);
  // EAGAIN: a rename or mount raced with the ".." check, openat2(2) says to try again.
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root_.get(), name.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if ((errno == EAGAIN && attempt < 100) || errno == EINTR) continue;
    return fail_errno(errno, host_root_ + name);
  }
}

Result<Fd> RootedReader::open_regular(std::string_view path, std::size_t& size) const {
  KD_TRY(Fd fd, open_in_root(path, O_RDONLY | O_NONBLOCK));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, host_root_ + std::string(path));
  // A tree somebody else made may hold a device that never ends.
  if (S_ISDIR(status.st_mode)) return fail_errno(EISDIR, host_root_ + std::string(path));
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::kFailed, "{}{}: not a regular file", host_root_, path);
  }
  size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  return fd;
}

Result<std::string> RootedReader::read(std::string_view path) const {
  std::size_t size = 0;
  KD_TRY(const Fd fd, open_regular(path, size));
  // proc and sysfs files claim sizes of 0 or 4096, so the size is only where reading starts.
  std::string text(size + 1, '\0');
  std::size_t used = 0;
  for (;;) {
    const ssize_t got = read_some(fd, text.data() + used, text.size() - used);
    if (got < 0) return fail_errno(errno, host_root_ + std::string(path));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used == text.size()) text.resize(text.size() * 2 + 4096);
  }
  text.resize(used);
  return text;
}

Result<void> RootedReader::read_blocks(std::string_view path, const BlockVisitor& visit) const {
  std::size_t ignored = 0;
  KD_TRY(const Fd fd, open_regular(path, ignored));
  std::array<char, 128 << 10> block;  // NOLINT(*-member-init): filled by read(2)
  for (;;) {
    const ssize_t got = read_some(fd, block.data(), block.size());
    if (got < 0) return fail_errno(errno, host_root_ + std::string(path));
    if (got == 0 || !visit({block.data(), static_cast<std::size_t>(got)})) return {};
  }
}

Result<std::string> read_start(const FileReader& reader, std::string_view path) {
  std::string start;
  KD_CHECK(reader.read_blocks(path, [&start](std::string_view block) {
    start = block;
    return false;
  }));
  return start;
}

Result<std::string> find_program(const FileReader& reader, std::string_view name) {
  constexpr std::array<std::string_view, 4> kDirs = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
  for (const std::string_view dir : kDirs) {
    if (Result<std::string> found = reader.resolve(fmt::format("{}/{}", dir, name))) return found;
  }
  return fail(ErrorKind::kFailed, "{} was not found in {}; install the package that has it", name,
              fmt::join(kDirs, ", "));
}

Result<std::vector<std::string>> RootedReader::list(std::string_view path) const {
  KD_TRY(Fd fd, open_in_root(path, O_RDONLY | O_DIRECTORY));
  // fdopendir takes over a descriptor only when it succeeds, so it gets one of its own.
  const int own = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  DIR* raw = own < 0 ? nullptr : ::fdopendir(own);
  if (raw == nullptr) {
    const int error = errno;
    if (own >= 0) ::close(own);
    return fail_errno(error, host_root_ + std::string(path));
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(raw, ::closedir);
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(dir.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail_errno(errno, host_root_ + std::string(path));
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> RootedReader::resolve(std::string_view path) const {
  KD_TRY(std::string host, host_path(path));
  host.erase(0, host_root_.size());
  return host.empty() ? "/" : host;
}

Result<FileStatus> RootedReader::status(std::string_view path) const {
  KD_TRY(const Fd fd, open_in_root(path, O_PATH));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, host_root_ + std::string(path));
  return FileStatus{.type = S_ISREG(status.st_mode)   ? FileType::kRegular
                            : S_ISDIR(status.st_mode) ? FileType::kDirectory
                                                      : FileType::kOther,
                    .mode = static_cast<std::uint32_t>(status.st_mode & 07777),
                    .size = static_cast<std::uint64_t>(status.st_size)};
}

Result<std::string> RootedReader::host_path(std::string_view path) const {
  KD_TRY(const Fd fd, open_in_root(path, O_PATH));
  return path_of(fd);
}

}  // namespace kd
