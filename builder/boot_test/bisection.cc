// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/bisection.h"

#include <algorithm>

namespace kd {

std::optional<unsigned> Bisection::next() const {
  if (high_ > most_ || worked_ >= kTimes) return std::nullopt;
  if (high_ - low_ > 1) return low_ + (high_ - low_) / 2;
  if (worked_ == 0) return high_;
  return low_fails_ ? high_ : low_;
}

void Bisection::tell(bool works) {
  const unsigned size = next().value_or(high_);
  if (size == high_) {
    if (works) {
      ++worked_;
      seen_ = true;
      return;
    }
    // What worked by chance is followed by the next step; a guess that was wrong by a wider one.
    high_ = size == most_ ? most_ + 1 : std::min(most_, size + (seen_ ? 1 : 2 * width_));
    low_ = size;
    low_fails_ = true;
    worked_ = 0;
  } else if (works) {
    high_ = size;
    worked_ = 1;
    seen_ = true;
    if (size == low_) low_ -= std::min(low_, width_);
  } else {
    low_ = size;
    low_fails_ = true;
  }
}

std::optional<unsigned> Bisection::found() const {
  if (worked_ < kTimes) return std::nullopt;
  return high_;
}

}  // namespace kd
