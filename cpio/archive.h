// SPDX-License-Identifier: GPL-2.0-or-later
//
// The newc archive of an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
// Bytes in, bytes out; knows nothing of kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace cpio {

struct Entry {
  std::string path;                // relative, no leading "/", no "." or ".." component
  std::uint32_t mode = 0;          // type and permission bits as in stat(2)
  std::string data;                // content of a regular file, target of a symbolic link
  std::uint32_t device_major = 0;  // for device nodes
  std::uint32_t device_minor = 0;
  std::uint32_t links = 1;  // as stored: set by read_archive_prefix(), ignored by write_archive()
};

// A newc archive: entries sorted by path, missing parent directories added (0755), owner 0:0,
// `mtime` (seconds since 1970, 0..2^32-1) for all, inodes numbered from 1, identical regular files
// stored once and hard-linked (same bytes, same mode; never empty files). The size is a multiple of
// 4. Refuses duplicate paths, files of 4 GiB and more, and everything the kernel would drop without
// a word: names and link targets longer than PATH_MAX, children of something that is no directory,
// data of a node.
kd::Result<std::string> write_archive(std::span<const Entry> entries, std::int64_t mtime);

struct ArchivePrefix {
  std::vector<Entry> entries;  // in file order, paths as stored, hard links with their content
  bool trailer = false;
  std::size_t size = 0;  // bytes up to and with the trailer, or up to what is no entry; 4-aligned
};

// The entries at the start of `image`, where something else may follow. Damaged or truncated
// entries are an error that says at which offset.
kd::Result<ArchivePrefix> read_archive_prefix(std::string_view image);

}  // namespace cpio
