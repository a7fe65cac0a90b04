// SPDX-License-Identifier: GPL-2.0-or-later
//
// What makedumpfile may leave out of a dump, by its version and the version of the kernel that is
// dumped. Pure; the table with a source for each row is in dump_level.cc.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/facts/kdump_config.h"

namespace kd {

struct Version {
  int major = 0, minor = 0, patch = 0;
  // clang-tidy 14 takes the 0 that the result is compared with for a pointer.
  auto operator<=>(const Version&) const = default;  // NOLINT(modernize-use-nullptr)
};
// The numbers that "6.1.0-56-amd64", "7.3.4+deb14" or "1.7.9++" start with; a patch level that is
// missing is 0. Less than two numbers are no version.
std::optional<Version> parse_version(std::string_view text);

// Who filters whose memory. Empty: unknown, and then nothing is taken for granted.
struct DumpPair {
  std::string makedumpfile;  // "1.7.2", see makedumpfile_version()
  std::string kernel;        // that is dumped: "6.1.0-56-amd64"
};

struct DumpArguments {
  std::vector<std::string> first;  // for makedumpfile, without -F
  std::vector<std::string> retry;  // with less memory, after a failure
  std::string note;                // why the level is another one or a wrong one; may be empty
  // The default level stands back for the safe one: pages of programs and of the page cache stay in
  // the dump, which may get as large as the memory in use.
  bool larger = false;
  bool unreadable = false;  // the administrator's own level, which this pair cannot be trusted with
};

// MAKEDUMP_ARGS of the administrator stay as they are. ErrorKind::kUsage when their quotes are not
// closed.
[[nodiscard]] Result<DumpArguments> choose_dump_arguments(const KdumpConfig& config,
                                                          const DumpPair& pair);

// Where the file system may be too small a place for one file with the dump of `ram` bytes of
// memory; empty where it is not.
std::string largest_file_note(std::string_view fs_type, std::uint64_t ram);

// Why makedumpfile will say "The kernel version is not supported", which alone is no fault; empty
// when it will not, or nobody knows.
std::string newest_kernel_note(const DumpPair& pair);

}  // namespace kd
