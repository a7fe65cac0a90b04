// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cpio/archive.h"
#include "cpio/image.h"
#include "tests/base/temporary_directory.h"

namespace cpio {

struct ToolResult {
  int status = -1;
  std::string output;  // of both streams
};

// Runs a tool somebody else wrote, in `directory`, as a judge of what this library writes.
inline ToolResult run_tool(const TemporaryDirectory& directory, const std::string& command) {
  ToolResult result;
  const std::string line = "cd '" + directory.path() + "' && exec 2>&1; " + command;
  FILE* pipe = ::popen(("export LC_ALL=C TZ=UTC; " + line).c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 4096> buffer{};
  for (std::size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    result.output.append(buffer.data(), got);
  }
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

// Text that compresses like programs do, neither to nothing nor not at all; always the same.
inline std::string sample_text(std::size_t size, std::uint32_t seed = 1) {
  std::string text;
  text.reserve(size + 64);
  while (text.size() < size) {
    seed = seed * 1664525 + 1013904223;
    text += "symbol_" + std::to_string(seed >> 20) + (seed >> 31 != 0 ? "\n" : "\t");
    text += static_cast<char>(seed >> 13);
  }
  text.resize(size);
  return text;
}

inline Entry file(std::string path, std::string data, std::uint32_t mode = 0644) {
  return {.path = std::move(path), .mode = S_IFREG | mode, .data = std::move(data)};
}
inline Entry directory(std::string path, std::uint32_t mode = 0755) {
  return {.path = std::move(path), .mode = S_IFDIR | mode, .data = {}};
}
inline Entry symlink(std::string path, std::string target) {
  return {.path = std::move(path), .mode = S_IFLNK | 0777, .data = std::move(target)};
}

// Every kind of entry that can be unpacked without privileges; two sets of hard links.
inline std::vector<Entry> sample_entries() {
  return {file("init", sample_text(4001), 0755),
          file("usr/lib/libc.so.6", sample_text(3000, 7), 0755),
          file("usr/lib/copy/libc.so.6", sample_text(3000, 7), 0755),
          file("zz-last", sample_text(3000, 7), 0755),
          file("etc/other-mode", sample_text(3000, 7), 0644),
          file("etc/a", "twin", 0600),
          file("etc/b", "twin", 0600),
          file("etc/empty1", ""),
          file("etc/empty2", ""),
          file("usr/bin/setuid", "x", 04755),
          symlink("lib", "usr/lib"),
          symlink("etc/absolute", "/etc/a"),
          directory("tmp", 01777),
          directory("root", 0700),
          file("odd/caf\xc3\xa9 with\nnewline", "1"),
          file("odd/\xff\xfe", "22")};
}

// Of an archive that is a whole initrd.
inline kd::Result<std::vector<Entry>> entries_of(std::string_view archive) {
  KD_TRY(std::vector<SegmentContent> segments, read_image(archive));
  return std::move(segments.at(0).entries);
}

}  // namespace cpio
