// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/makedumpfile_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kPage = 4096;
// makedumpfile 1.7 has a resident size of 3.1 MiB for 1 GiB of memory, most of it private.
constexpr std::uint64_t kProgram = 3 * kMiB;
// It keeps two bitmaps of one bit a page in a file of /tmp, which is memory here. When both
// together have more than 4 MiB it works in cycles, with two buffers of 4 MiB each (makedumpfile.c,
// calculate_cyclic_buffer_size()). Holes in the memory map have bits as well, so that happens a
// little below 64 GiB.
constexpr std::uint64_t kCyclicBuffer = 4 * kMiB;
constexpr std::uint64_t kLargestOneCycle = std::uint64_t{60} << 30;
// 0.25 MiB each were measured with 1.7.2: zlib has 256 KiB of state, five pages wait in buffers,
// and there is the stack. Twice that for zstd and for the page tables of a window of /proc/vmcore.
constexpr std::uint64_t kThread = kMiB / 2;
constexpr std::uint64_t kMostThreads = 4096;
constexpr std::uint64_t kLargestBuffer = std::uint64_t{1} << 30;  // KiB

// The value of "--NAME VALUE" or "--NAME=VALUE", the last one. getopt_long(3) takes a NAME that is
// cut off, down to `shortest`. What is no number counts as 0, as atoi(3) has it.
std::optional<std::uint64_t> value_of(std::span<const std::string> arguments, std::string_view name,
                                      std::string_view shortest) {
  std::optional<std::uint64_t> value;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string_view given = word.substr(0, equals);
    if (!given.starts_with(shortest) || !name.starts_with(given)) continue;
    std::string_view text = word.substr(std::min(equals + 1, word.size()));
    if (equals == word.size()) text = ++i < arguments.size() ? arguments[i] : std::string_view();
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec == std::errc::result_out_of_range) number = ~std::uint64_t{0};
    value = number;
  }
  return value;
}

}  // namespace

MakedumpfileMemory makedumpfile_memory(std::span<const std::string> arguments, std::uint64_t ram) {
  MakedumpfileMemory memory;
  const std::uint64_t asked =
      std::min(value_of(arguments, "--cyclic-buffer", "--cy").value_or(0), kLargestBuffer);
  if (asked > 0) {
    memory.program = kProgram + 2 * asked * 1024;
    memory.program_source = fmt::format("two buffers of --cyclic-buffer {} KiB", asked);
  } else {
    memory.program =
        kProgram + (ram > kLargestOneCycle ? 2 * kCyclicBuffer : 2 * (ram / kPage / 8));
    memory.program_source = "1 bit a page, twice, at most 8 MiB";
  }
  const std::uint64_t threads =
      std::min(value_of(arguments, "--num-threads", "--nu").value_or(0), kMostThreads);
  memory.threads = threads * kThread;
  if (threads > 0) memory.threads_source = fmt::format("--num-threads {}, 0.5 MiB each", threads);
  return memory;
}

}  // namespace kd
