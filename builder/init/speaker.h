// SPDX-License-Identifier: GPL-2.0-or-later
//
// Signs of life: what every part of init, however deep, does while it works or waits.
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/init/text.h"

namespace kdinit {

std::uint64_t boot_time_ms();  // CLOCK_BOOTTIME

// Called about every 100 ms while init waits for something.
class Ticker {
 public:
  virtual void tick() = 0;

 protected:
  ~Ticker() = default;
};

class Speaker : public Ticker {
 public:
  virtual std::uint64_t now_ms() = 0;             // CLOCK_BOOTTIME
  virtual void print(std::string_view text) = 0;  // to the console, as it is

 protected:
  ~Speaker() = default;
};

// "kdump: 3.214s STEP: TEXT" on a line of its own.
template <typename... Parts>
void say(Speaker& speaker, std::string_view step, const Parts&... parts) {
  const std::uint64_t now = speaker.now_ms();
  const auto millis = now % 1000;
  Text<1024> line("kdump: ", now / 1000,
                  millis < 10    ? ".00"
                  : millis < 100 ? ".0"
                                 : ".",
                  millis, "s ", step, ": ", parts...);
  speaker.print(line.view());
  speaker.print("\n");
}

}  // namespace kdinit
