// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/dump_directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder/base/fd.h"
#include "builder/init/child.h"
#include "builder/init/directory.h"

namespace kdinit {
namespace {

constexpr unsigned kMaxSameMinute = 99;
constexpr std::size_t kStampDigits = 12;

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Both are run names; "…-10" is younger than "…-9".
bool is_older(std::string_view a, std::string_view b) {
  const auto stamp_order = a.substr(0, kStampDigits).compare(b.substr(0, kStampDigits));
  if (stamp_order != 0) return stamp_order < 0;
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

int make_parents(std::string_view path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const Path part(path.substr(0, end));
    if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) return errno;
    if (end == std::string_view::npos) return 0;
  }
}

int sync_path(const char* path, int flags) {
  const kd::Fd fd(::open(path, flags | O_RDONLY | O_CLOEXEC));
  return fd.valid() && ::fsync(fd.get()) == 0 ? 0 : errno;
}

int write_text(const char* path, int flags, std::string_view text) {
  const kd::Fd fd(::open(path, flags | O_WRONLY | O_CLOEXEC, 0644));
  if (!fd.valid()) return errno;
  const auto written = ::write(fd.get(), text.data(), text.size());
  if (written < 0) return errno;
  return static_cast<std::size_t>(written) == text.size() ? 0 : ENOSPC;
}

}  // namespace

bool is_own(int parent, const char* name, unsigned type) {
  struct stat info {};
  return ::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         (info.st_mode & S_IFMT) == type && info.st_uid == ::geteuid();
}

void put_stamp(std::time_t now, std::string_view time_zone, TextBuffer& out) {
  ::setenv("TZ", time_zone.empty() ? "UTC0" : Path(time_zone).c_str(), 1);
  ::tzset();
  std::tm local{};
  ::localtime_r(&now, &local);
  const auto put_two = [&out](int value) { out.put(value / 10 % 10, value % 10); };
  const int year = local.tm_year + 1900;
  put_two(year / 100);
  put_two(year % 100);
  for (int value : {local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min}) put_two(value);
}

bool is_run_name(std::string_view name) {
  if (!all_digits(name.substr(0, kStampDigits)) || name.size() < kStampDigits) return false;
  name.remove_prefix(kStampDigits);
  return name.empty() || (name.front() == '-' && all_digits(name.substr(1)));
}

int make_run_directory(std::string_view base, std::string_view stamp, TextBuffer& name) {
  if (const int error = make_parents(base)) return error;
  for (unsigned attempt = 0; attempt <= kMaxSameMinute; ++attempt) {
    name.clear();
    name.put(stamp);
    if (attempt > 0) name.put('-', attempt);
    if (::mkdir(Path(base, "/", name.view()).c_str(), 0755) == 0) {
      return sync_path(Path(base).c_str(), O_DIRECTORY);
    }
    if (errno != EEXIST) return errno;
  }
  return EEXIST;
}

int publish_file(std::string_view directory, std::string_view from, std::string_view to) {
  const Path source(directory, "/", from);
  const Path target(directory, "/", to);
  if (const int error = sync_path(source.c_str(), 0)) return error;
  if (::rename(source.c_str(), target.c_str()) != 0) return errno;
  return sync_path(Path(directory).c_str(), O_DIRECTORY);
}

int write_file_atomically(std::string_view directory, std::string_view name,
                          std::string_view text) {
  const Text<64> temporary(".", name, ".new");
  const Path path(directory, "/", temporary.view());
  int error = write_text(path.c_str(), O_CREAT | O_TRUNC, text);
  if (!error) error = publish_file(directory, temporary.view(), name);
  if (error) ::unlink(path.c_str());
  return error;
}

int overwrite_file(std::string_view directory, std::string_view name, std::string_view text) {
  const Path path(directory, "/", name);
  const int error = write_text(path.c_str(), 0, text);
  return error ? error : sync_path(path.c_str(), 0);
}

std::uint64_t size_of(const char* path) {
  struct stat info {};
  return ::stat(path, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void mark_incomplete(const char* path) {
  // struct disk_dump_header of makedumpfile, and DUMP_DH_COMPRESSED_INCOMPLETE in its status
  constexpr std::string_view kSignature = "KDUMP   ";
  constexpr off_t kStatus = 424;
  constexpr char kIncomplete = 0x8;
  const kd::Fd fd(::open(path, O_RDWR | O_CLOEXEC));
  char header[kStatus + 1];
  if (::pread(fd.get(), header, sizeof header, 0) != sizeof header ||
      !std::string_view(header, sizeof header).starts_with(kSignature)) {
    return;
  }
  header[kStatus] = static_cast<char>(header[kStatus] | kIncomplete);
  [[maybe_unused]] const auto written = ::write(fd.get(), header, sizeof header);
}

int delete_old_runs(std::string_view base, std::string_view current, std::uint32_t keep,
                    TextBuffer& deleted, Ticker& ticker) {
  const kd::Fd fd(::open(Path(base).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return errno;
  // One more look at the directory for each deletion instead of a sorted list of unknown length.
  for (;;) {
    Text<64> oldest;
    std::uint32_t count = 0;
    const int error = for_each_entry(Path(base).c_str(), [&](const char* name) {
      if (!is_run_name(name) || !is_own(fd.get(), name, S_IFDIR)) return;
      ++count;
      if (name == current) return;
      if (!oldest.view().empty() && !is_older(name, oldest.view())) return;
      oldest.clear();
      oldest.put(name);
    });
    if (error) return error;
    if (count <= keep || oldest.view().empty()) return 0;
    if (const int failed = delete_tree(fd.get(), oldest.c_str(), info.st_dev, ticker)) {
      return failed;
    }
    deleted.put(deleted.view().empty() ? "" : " ", oldest.view());
  }
}

bool is_of_rehearsal(const char* log) {
  const kd::Fd fd(::open(log, O_RDONLY | O_CLOEXEC));
  char block[1024];
  std::size_t kept = 0;  // the end of the block before, where the mark may begin
  for (ssize_t size; (size = ::read(fd.get(), block + kept, sizeof block - kept)) > 0;) {
    const std::string_view text(block, kept + static_cast<std::size_t>(size));
    if (text.find(kRehearsalMark) != std::string_view::npos) return true;
    kept = std::min(text.size(), kRehearsalMark.size() - 1);
    std::copy(text.end() - kept, text.end(), block);
  }
  return false;
}

std::uint64_t tail_offset(int fd, unsigned lines) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_size == 0) return 0;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  // The newline that ends the last line does not begin another one.
  for (std::uint64_t at = size - 1; at > 0;) {
    char block[1024];
    const std::uint64_t length = std::min<std::uint64_t>(sizeof block, at);
    if (::pread(fd, block, length, static_cast<off_t>(at - length)) !=
        static_cast<ssize_t>(length)) {
      return at;
    }
    for (std::uint64_t i = length; i-- > 0;) {
      if (block[i] == '\n' && --lines == 0) return at - length + i + 1;
    }
    at -= length;
  }
  return 0;
}

}  // namespace kdinit
