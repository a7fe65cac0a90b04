// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/bisection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace kd {
namespace {

struct Search {
  std::optional<unsigned> found;
  std::vector<unsigned> tried;
  unsigned confirmed = 0;  // of those, how many were the last word
};

Search search(Bisection bisection, const std::function<bool(unsigned)>& works) {
  Search result;
  while (const std::optional<unsigned> size = bisection.next()) {
    result.tried.push_back(*size);
    result.confirmed += bisection.confirms();
    bisection.tell(works(*size));
    if (result.tried.size() > 100) break;
  }
  result.found = bisection.found();
  return result;
}

TEST(Bisection, FindsTheSmallestWhereverTheGuessLies) {
  for (unsigned smallest = 1; smallest <= 200; ++smallest) {
    const auto works = [smallest](unsigned size) { return size >= smallest; };
    EXPECT_EQ(search({64, 80, 200}, works).found, smallest);
  }
}

TEST(Bisection, TakesFewTriesWhereTheGuessIsRight) {
  for (unsigned smallest = 66; smallest < 80; ++smallest) {
    const Search result = search({64, 80, 1000}, [&](unsigned size) { return size >= smallest; });
    EXPECT_LE(result.tried.size(), 4U + Bisection::kTimes - 1);
    EXPECT_EQ(result.confirmed, Bisection::kTimes - 1);
  }
}

TEST(Bisection, EndsWhereNothingWorks) {
  const Search result = search({64, 80, 500}, [](unsigned) { return false; });
  EXPECT_FALSE(result.found);
  for (const unsigned size : result.tried) EXPECT_LE(size, 500U);
}

TEST(Bisection, EndsWhereEverythingWorks) {
  EXPECT_LE(search({64, 80, 500}, [](unsigned) { return true; }).found, 1U);
}

TEST(Bisection, WhatWorkedByChanceIsNotFound) {
  // 70 and 71 work once, at the first try.
  std::vector<unsigned> seen;
  const auto works = [&seen](unsigned size) {
    if (size >= 72) return true;
    const bool first = std::ranges::find(seen, size) == seen.end();
    seen.push_back(size);
    return size >= 70 && first;
  };
  EXPECT_EQ(search({64, 80, 500}, works).found, 72U);
}

}  // namespace
}  // namespace kd
