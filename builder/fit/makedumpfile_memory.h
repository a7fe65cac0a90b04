// SPDX-License-Identifier: GPL-2.0-or-later
//
// What makedumpfile takes for itself. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace kd {

struct MakedumpfileMemory {
  std::uint64_t program = 0;  // with its two bitmaps
  std::string program_source;
  std::uint64_t threads = 0;
  std::string threads_source;
};

// `arguments` as makedumpfile gets them; `ram`: bytes of the crashed kernel.
MakedumpfileMemory makedumpfile_memory(std::span<const std::string> arguments, std::uint64_t ram);

}  // namespace kd
