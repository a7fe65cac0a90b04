// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "builder/base/fd.h"
#include "builder/base/file_reader.h"

namespace kd {

// Reads below a directory with openat2(2) and RESOLVE_IN_ROOT, so that a tree somebody else made
// cannot make us read files of this machine. Needs Linux 5.6.
class RootedReader : public FileReader {
 public:
  // `root` must be an existing directory; "/" is the live machine.
  static Result<RootedReader> open(const std::string& root);

  [[nodiscard]] Result<std::string> read(std::string_view path) const override;
  [[nodiscard]] Result<void> read_blocks(std::string_view path,
                                         const BlockVisitor& visit) const override;
  [[nodiscard]] Result<std::vector<std::string>> list(std::string_view path) const override;
  [[nodiscard]] Result<std::string> resolve(std::string_view path) const override;
  [[nodiscard]] Result<FileStatus> status(std::string_view path) const override;

  // The path on the host of an existing file, all links resolved inside the root: what a library
  // that opens files by itself may be given.
  [[nodiscard]] Result<std::string> host_path(std::string_view path) const;

 private:
  RootedReader(Fd root, std::string host_root)
      : root_(std::move(root)), host_root_(std::move(host_root)) {}
  [[nodiscard]] Result<Fd> open_in_root(std::string_view path, int flags) const;
  [[nodiscard]] Result<Fd> open_regular(std::string_view path, std::size_t& size) const;

  Fd root_;
  std::string host_root_;  // absolute, resolved, without a trailing slash ("" for "/")
};

}  // namespace kd
