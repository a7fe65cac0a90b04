// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string_view>

#include "builder/options.h"

namespace kd {

// Tells on stderr what is being done: on a terminal in one line that goes away, with --verbose for
// good and with the time.
class Progress {
 public:
  explicit Progress(const Presentation& show)
      : verbose_(show.verbose), transient_(!show.quiet && !show.verbose && isatty(2) == 1) {}
  ~Progress() {
    if (transient_) std::fputs("\r\033[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step(std::string_view what) {
    if (verbose_) fmt::print(stderr, "{:7.3f}s {}\n", seconds(), what);
    if (transient_) fmt::print(stderr, "\r\033[K{} ...", what);
  }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool verbose_;
  bool transient_;
};

}  // namespace kd
