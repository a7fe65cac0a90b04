// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "builder/base/fd.h"
#include "builder/base/result.h"
#include "hooks/verify/check.h"

struct _kdump_ctx;  // NOLINT(bugprone-reserved-identifier): the name libkdumpfile gave it

namespace kd::verify {

// A dump of any format that libkdumpfile knows, whose addresses it translates. Flattened dumps are
// put in order first, and dumps that gzip and the like packed are unpacked, in a file without a
// name beside them.
class DumpFile final : public Memory {
 public:
  static Result<std::unique_ptr<DumpFile>> open(const std::string& path);

  Read<void> read(std::uint64_t address, std::span<std::byte> out) const override;
  // Reads every page that has a descriptor.
  [[nodiscard]] Check read_pages() const;
  // Whether the file is as long as it says, and complete.
  [[nodiscard]] const Check& file() const { return file_; }
  [[nodiscard]] std::string format() const;
  [[nodiscard]] std::string vmcoreinfo() const;
  [[nodiscard]] std::uint64_t size() const { return size_; }  // bytes, as it lies on the disk

 private:
  struct Free {
    void operator()(_kdump_ctx* context) const;
  };
  Result<void> prepare(const std::string& path);
  Result<void> unpack(const std::string& path);
  [[nodiscard]] std::string text(const char* key) const;

  Fd fd_;
  std::unique_ptr<_kdump_ctx, Free> context_;
  Check file_{.name = "descriptors"};
  std::string wrapping_;  // "flattened", "gzip"
  std::uint64_t size_ = 0;
};

}  // namespace kd::verify
