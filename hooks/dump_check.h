// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether the dump of a crash now could be read, and whether there is space for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/policy/dump_level.h"
#include "hooks/context.h"

namespace kd {

struct DumpCheck {
  std::string makedumpfile;  // its version; empty: unknown
  std::string running;       // the kernel that is dumped
  std::string capture;       // the kernel of the image; empty: nobody knows
  std::string built_for;     // the kernel whose memory the image was built for
  bool direct = true;        // the image filters, with what was decided for `built_for`
  DumpArguments for_running, for_image;
  std::uint64_t memory_in_use = 0;  // bytes
  std::uint64_t space = 0;          // bytes free where the dumps go
  std::string directory;            // where that is
  std::string fs_type;              // of it; empty: unknown
  std::uint64_t ram = 0;            // bytes of the machine
};

// `capture` is empty when nobody knows the kernel of the image.
DumpCheck check_dump(const Context& context, const KdumpConfig& config, std::string_view running,
                     std::string_view capture, bool direct);

// What a dump would be lost or worthless for, with what to do about it. Pure, as the next.
std::vector<std::string> dump_problems(const DumpCheck& check);
// What is different from what one expects, and is right as it is.
std::vector<std::string> dump_notes(const DumpCheck& check);
// "makedumpfile 1.7.2, -c -d 31", for show.
std::string describe_dump(const DumpCheck& check);

// Bytes free for a dump in a directory. The figure is unknown where there is none yet; 0 then.
std::uint64_t free_space(const RootedReader& reader, const std::string& directory);

// The arguments of makedumpfile in the real root: of the kernel that crashed where `vmcore` (a path
// of the host) tells its release, else of the one that runs.
Result<DumpArguments> arguments_for_vmcore(const FileReader& reader, const KdumpConfig& config,
                                           const std::string& vmcore);

}  // namespace kd
