// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "builder/base/fd.h"
#include "builder/base/result.h"

namespace kd {

// The system calls an AtomicFile makes, so that a test can let the Nth of them fail.
class FileSink {
 public:
  virtual ~FileSink() = default;
  virtual Result<void> write(std::string_view data) = 0;
  virtual Result<void> sync() = 0;
  // Puts what was written in place of the final path and makes the directory entry durable.
  virtual Result<void> publish() = 0;
};

// A new version of a file that appears completely or not at all. Data go to a temporary file in
// the same directory, mode 0600; publish() renames it. Destroyed before that, the temporary file
// is removed and the old file is as it was. A killed process leaves at most a temporary file
// ".NAME.XXXXXX", which the next create() for the same path removes: callers that may run at the
// same time hold a FileLock while they write.
class AtomicFile final : public FileSink {
 public:
  static Result<AtomicFile> create(const std::string& path);
  ~AtomicFile() override;
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  Result<void> write(std::string_view data) override;
  Result<void> sync() override;
  Result<void> publish() override;

 private:
  AtomicFile(Fd directory, Fd file, std::string path, std::string temporary)
      : directory_(std::move(directory)),
        file_(std::move(file)),
        path_(std::move(path)),
        temporary_(std::move(temporary)) {}

  Fd directory_;
  Fd file_;
  std::string path_;
  std::string temporary_;  // empty: nothing to remove
};

// Writes, syncs and publishes `data`. On any error the final path is as it was.
Result<void> write_file(FileSink& sink, std::string_view data);

// An exclusive flock(2) on a file of its own, held while the object lives. The file has mode 0600:
// a lock on anything that others can open could be held by anybody for ever. Waits five minutes for
// another holder at most.
class FileLock {
 public:
  // A lock file that stays, for flock(1) as well.
  static Result<FileLock> acquire(const std::string& lock_file);
  // For those who write PATH, with a lock file beside it that is gone afterwards.
  static Result<FileLock> acquire_beside(const std::string& path);
  ~FileLock();
  FileLock(FileLock&& other) noexcept
      : fd_(std::move(other.fd_)), remove_(std::exchange(other.remove_, {})) {}
  FileLock& operator=(FileLock&& other) = delete;

 private:
  FileLock(Fd fd, std::string remove) : fd_(std::move(fd)), remove_(std::move(remove)) {}
  static Result<Fd> lock(const std::string& file);
  Fd fd_;
  std::string remove_;  // empty: nothing
};

}  // namespace kd
