// SPDX-License-Identifier: GPL-2.0-or-later
//
// JSON from files that somebody else may have written: bounded, strict, and every complaint names
// the path of the member it is about.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace kd {

using Json = nlohmann::ordered_json;

// For files and scripts. File names may hold any byte but zero: what is no UTF-8 becomes U+FFFD.
std::string json_text(const Json& json);

// Refuses more than `most_bytes`, nesting deeper than 16 and members that appear twice in one
// object, of which the parser would keep the last without a word.
Result<Json> parse_json(std::string_view text, std::size_t most_bytes);

// Reads members of one object. The first complaint stays in `problem`, which objects of one
// document share, and ends all reading.
class JsonObject {
 public:
  JsonObject(const Json& object, std::string path, std::string& problem);

  // The member, or nullptr after a complaint.
  const Json* find(const char* name);

  void read(const char* name, std::string& value) {
    if (const Json* member = find(name)) to(*member, path_of(name), value);
  }
  void read(const char* name, std::uint64_t& value) {
    if (const Json* member = find(name)) to(*member, path_of(name), value);
  }
  void read(const char* name, std::vector<std::string>& values) {
    read_array(name, [&](const Json& element, const std::string& path) {
      to(element, path, values.emplace_back());
    });
  }
  // `use(element, its path)` for each element of an array.
  template <typename Use>
  void read_array(const char* name, Use use) {
    if (const Json* member = find(name)) each(*member, path_of(name), use);
  }

  // Complains unless "version" is that one.
  void expect_version(std::uint64_t known);

  // Those that nobody asked for.
  void refuse_other_members();

  [[nodiscard]] std::string path_of(std::string_view name) const;
  void complain(const std::string& path, std::string_view what);
  [[nodiscard]] std::string& problem() { return problem_; }
  bool to(const Json& from, const std::string& path, std::string& value);
  bool to(const Json& from, const std::string& path, std::uint64_t& value);
  template <typename Use>
  void each(const Json& from, const std::string& path, Use use) {
    if (!is_array(from, path)) return;
    for (std::size_t i = 0; i < from.size() && problem_.empty(); ++i) {
      use(from[i], fmt::format("{}/{}", path, i));
    }
  }

 private:
  bool is_array(const Json& from, const std::string& path);

  const Json& object_;
  std::string path_;
  std::string& problem_;
  std::set<std::string_view> names_;
};

}  // namespace kd
