// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace kd {
namespace {

namespace fs = std::filesystem;

// A build takes seconds; a load beside it a minute in an emulated machine.
constexpr std::chrono::seconds kLongestWait{300};

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

Result<void> write_file(FileSink& sink, std::string_view data) {
  // Blocks of 1 MiB, so that a full disk shows before everything was sent to it.
  constexpr std::size_t kBlock = std::size_t{1} << 20;
  for (std::size_t offset = 0; offset < data.size(); offset += kBlock) {
    KD_CHECK(sink.write(data.substr(offset, kBlock)));
  }
  KD_CHECK(sink.sync());
  return sink.publish();
}

Result<Fd> FileLock::lock(const std::string& file) {
  const auto deadline = std::chrono::steady_clock::now() + kLongestWait;
  for (;;) {
    Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) return fail_errno(errno, file);
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(errno, file);
      if (std::chrono::steady_clock::now() > deadline) {
        return fail(ErrorKind::kFailed,
                    "{}: another process holds this lock for {} s; end it (lsof shows which)", file,
                    kLongestWait.count());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    // The last holder may have removed the file while we waited for it.
    struct stat opened {
    }, named{};
    if (::fstat(fd.get(), &opened) == 0 && ::lstat(file.c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
      return fd;
    }
  }
}

Result<FileLock> FileLock::acquire(const std::string& lock_file) {
  KD_TRY(Fd fd, lock(lock_file));
  return FileLock(std::move(fd), "");
}

Result<FileLock> FileLock::acquire_beside(const std::string& path) {
  const std::string name = "." + fs::path(path).filename().string() + ".lock";
  std::string lock_file = (directory_of(path) / name).string();
  KD_TRY(Fd fd, lock(lock_file));
  return FileLock(std::move(fd), std::move(lock_file));
}

FileLock::~FileLock() {
  if (!remove_.empty()) ::unlink(remove_.c_str());
}

}  // namespace kd
