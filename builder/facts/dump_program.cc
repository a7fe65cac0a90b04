// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/dump_program.h"

#include <algorithm>
#include <string_view>

namespace kd {
namespace {

// makedumpfile's show_version(): "makedumpfile: version 1.7.2 (released on 20 Oct 2022)".
constexpr std::string_view kMark = "makedumpfile: version ";
constexpr std::size_t kLongest = 32;  // of the version behind it

// Printable and without a blank: whatever else stands there ends it.
std::string version_in(std::string_view text) {
  const std::size_t mark = text.find(kMark);
  if (mark == std::string_view::npos) return {};
  const std::string_view rest = text.substr(mark + kMark.size(), kLongest);
  const auto* const end = std::ranges::find_if(rest, [](char c) { return c <= ' ' || c > '~'; });
  return end == rest.end() ? std::string() : std::string(rest.begin(), end);
}

}  // namespace

std::string makedumpfile_version(const FileReader& reader) {
  const Result<std::string> program = find_program(reader, "makedumpfile");
  if (!program) return {};
  std::string version;
  std::string seam;  // the end of the block before: the text may lie across two
  const Result<void> read = reader.read_blocks(*program, [&](std::string_view block) {
    constexpr std::size_t kOverlap = kMark.size() + kLongest;
    seam += block.substr(0, kOverlap);
    version = version_in(seam);
    if (version.empty()) version = version_in(block);
    seam = block.substr(block.size() - std::min(block.size(), kOverlap));
    return version.empty();
  });
  return read ? version : std::string();
}

}  // namespace kd
