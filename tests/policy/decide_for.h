// SPDX-License-Identifier: GPL-2.0-or-later
//
// The decision on a machine with Linux 6.1 and makedumpfile 1.7.2, and what to expect of it.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "builder/policy/requirements.h"
#include "tests/machine_fixture.h"

namespace kd {

inline Result<Requirements> decide_for(const MachineFacts& machine, const KdumpConfig& config = {},
                                       const InitramfsConfig& additions = {}) {
  return decide(machine, config, additions, {}, {"1.7.2", "6.1.0-56-amd64"});
}

inline KdumpConfig rootfs() {
  KdumpConfig config;
  config.capture = "rootfs";
  return config;
}

inline std::vector<std::string> wanted_names(const Requirements& requirements) {
  std::vector<std::string> names;
  for (const modsel::Wanted& wanted : requirements.modules.wanted) names.push_back(wanted.what);
  return names;
}

inline void expect_refused(const Result<Requirements>& result, ErrorKind kind, const char* part) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, kind);
  EXPECT_THAT(result.error().message, testing::HasSubstr(part));
}

}  // namespace kd
