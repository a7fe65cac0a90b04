// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>

namespace kd {

// The smallest size at which something works, by trying. Larger ones are taken to work as well, but
// near the smallest it is down to chance (the kernel unpacks the initrd beside its initcalls), so
// what is found has worked kTimes in a row. Pure: somebody else tries, and tells.
class Bisection {
 public:
  static constexpr unsigned kTimes = 3;

  // Sizes are whole steps. That `low` fails and `high` works is a guess, which only saves time;
  // nothing above `most` is tried.
  Bisection(unsigned low, unsigned high, unsigned most)
      : low_(low), high_(high), width_(high - low), most_(most) {}

  // What is to be tried next; nothing: it is over.
  [[nodiscard]] std::optional<unsigned> next() const;
  // Whether next() is the last word on a size that has worked before.
  [[nodiscard]] bool confirms() const { return worked_ > 0 && high_ - low_ == 1 && low_fails_; }
  // How next() went.
  void tell(bool works);
  // Nothing: no size works, or it is not over.
  [[nodiscard]] std::optional<unsigned> found() const;

 private:
  unsigned low_, high_, width_, most_;
  bool low_fails_ = false;  // was tried
  bool seen_ = false;       // some size has worked
  unsigned worked_ = 0;     // how often high_ did
};

}  // namespace kd
