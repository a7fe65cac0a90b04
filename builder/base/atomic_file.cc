// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace kd {
namespace {

namespace fs = std::filesystem;

fs::path directory_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

// What a killed predecessor left behind. Safe because the caller holds the lock of this path.
void remove_leftovers(const fs::path& directory, const std::string& prefix) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() == prefix.size() + 6 && name.starts_with(prefix)) {
      fs::remove(entry.path(), ignored);
    }
  }
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  const fs::path directory = directory_of(path);
  Fd directory_fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_fd.valid()) return fail_errno(errno, directory.string());

  const std::string prefix = "." + fs::path(path).filename().string() + ".";
  remove_leftovers(directory, prefix);
  std::string temporary = (directory / (prefix + "XXXXXX")).string();
  // mkostemp creates with mode 0600 whatever the umask allows beyond it.
  Fd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, temporary);
  AtomicFile result(std::move(directory_fd), std::move(file), path, std::move(temporary));
  if (::fchmod(result.file_.get(), 0600) != 0) return fail_errno(errno, result.temporary_);
  return result;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : directory_(std::move(other.directory_)),
      file_(std::move(other.file_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> AtomicFile::write(std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = ::write(file_.get(), data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, temporary_);
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> AtomicFile::sync() {
  if (::fsync(file_.get()) != 0) return fail_errno(errno, temporary_);
  return {};
}

Result<void> AtomicFile::publish() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail_errno(errno, path_);
  temporary_.clear();
  if (::fsync(directory_.get()) != 0) return fail_errno(errno, directory_of(path_).string());
  return {};
}

Result<FileLock> FileLock::acquire(const std::string& path) {
  const std::string directory = directory_of(path).string();
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, directory);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, directory);
  }
  return FileLock(std::move(fd));
}

}  // namespace kd
