// SPDX-License-Identifier: GPL-2.0-or-later
//
// Output that waits for nobody for ever.
#pragma once

#include <cstdint>
#include <string_view>

namespace kdinit {

// Writes all of `text` within `wait_ms`; false when the reader did not take it in that time. A
// terminal takes part of a long text and then waits whatever poll(2) said, so `fd` must be
// O_NONBLOCK where it is one.
bool write_within(int fd, std::string_view text, std::uint64_t wait_ms);

// A console that was stopped (flow control, a full pipe, a serial line without a reader) gets one
// chance of `patience_ms`. After that only what it takes at once, and the rest goes to the log of
// the kernel, which never waits.
class Console {
 public:
  // The 4 KiB that a serial driver buffers need 4 s with 9600 baud.
  explicit constexpr Console(int fd, std::uint64_t patience_ms = 10'000)
      : fd_(fd), patience_ms_(patience_ms) {}
  void print(std::string_view text, const char* log = "/dev/kmsg");

 private:
  int fd_;
  std::uint64_t patience_ms_;
};

}  // namespace kdinit
