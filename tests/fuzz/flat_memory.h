// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "hooks/verify/memory.h"

namespace kd::verify {

// The input of a fuzzer as the only memory there is.
class FlatMemory final : public Memory {
 public:
  static constexpr std::uint64_t kStart = 0x100000;
  explicit FlatMemory(std::span<const std::byte> data) : data_(data) {}
  Read<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    const std::uint64_t at = address - kStart;
    if (at > data_.size() || out.size() > data_.size() - at) {
      return tl::unexpected(Unread{.address = address});
    }
    std::ranges::copy(data_.subspan(at, out.size()), out.begin());
    return {};
  }

 private:
  std::span<const std::byte> data_;
};

}  // namespace kd::verify
