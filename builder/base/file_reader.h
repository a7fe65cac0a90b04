// SPDX-License-Identifier: GPL-2.0-or-later
//
// The one seam through which the machine is read. Tests replace it; a recorded machine and a
// directory tree stand behind it as well as the live system.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace kd {

enum class FileType { kRegular, kDirectory, kOther };

struct FileStatus {
  FileType type = FileType::kOther;
  std::uint32_t mode = 0;  // permission bits only, 07777
  std::uint64_t size = 0;  // bytes
};

// Paths are absolute and mean what they would mean after chroot(root): symbolic links, also
// absolute ones and "..", never lead out of the root.
class FileReader {
 public:
  virtual ~FileReader() = default;

  // The whole file. Not found: Error::system_error == std::errc::no_such_file_or_directory.
  [[nodiscard]] virtual Result<std::string> read(std::string_view path) const = 0;
  // The file in pieces of 128 KiB, the last one shorter, until `visit` returns false. For files
  // that are looked at once: fresh pages cost more time than reading them.
  using BlockVisitor = std::function<bool(std::string_view block)>;
  [[nodiscard]] virtual Result<void> read_blocks(std::string_view path,
                                                 const BlockVisitor& visit) const = 0;
  // The names in a directory, sorted by byte, without "." and "..".
  [[nodiscard]] virtual Result<std::vector<std::string>> list(std::string_view path) const = 0;
  // Where `path` leads after all symbolic links, as an absolute path below the root.
  [[nodiscard]] virtual Result<std::string> resolve(std::string_view path) const = 0;
  // Follows symbolic links.
  [[nodiscard]] virtual Result<FileStatus> status(std::string_view path) const = 0;

  [[nodiscard]] bool exists(std::string_view path) const { return status(path).has_value(); }

 protected:
  FileReader() = default;
  FileReader(const FileReader&) = default;
  FileReader& operator=(const FileReader&) = default;
};

// The first 128 KiB of a file, or all of a shorter one.
Result<std::string> read_start(const FileReader& reader, std::string_view path);

// The file of a program, all links resolved: looked up in /usr/sbin, /usr/bin, /sbin and /bin.
Result<std::string> find_program(const FileReader& reader, std::string_view name);

}  // namespace kd
