// SPDX-License-Identifier: GPL-2.0-or-later
//
// How the structures of the crashed kernel are laid out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kd::verify {

struct Member {
  std::uint32_t offset = 0;  // bytes from the start of the outermost structure
  std::uint32_t size = 0;    // bytes; of an array all of it
};

class Types {
 public:
  virtual ~Types() = default;
  // Bytes of a struct or union.
  [[nodiscard]] virtual std::optional<std::uint32_t> size(std::string_view type) const = 0;
  // `path` is a member, or members joined with dots. Those of anonymous structs and unions count
  // as members of what holds them, as in C.
  [[nodiscard]] virtual std::optional<Member> member(std::string_view type,
                                                     std::string_view path) const = 0;
  [[nodiscard]] virtual std::optional<std::uint64_t> enumerator(std::string_view name) const = 0;
};

// Looks up what a walker cannot do without, and remembers the first name that is not there.
class Needed {
 public:
  explicit Needed(const Types& types) : types_(types) {}

  std::uint32_t size(std::string_view type) { return take(types_.size(type), type); }
  Member member(std::string_view type, std::string_view path) {
    return take(types_.member(type, path), type, path);
  }
  // Empty when all was found.
  [[nodiscard]] const std::string& missing() const { return missing_; }

 private:
  template <typename T>
  T take(const std::optional<T>& found, std::string_view type, std::string_view path = {}) {
    if (!found && missing_.empty()) {
      missing_ = type;
      if (!path.empty()) missing_.append(".").append(path);
    }
    return found.value_or(T{});
  }

  const Types& types_;
  std::string missing_;
};

}  // namespace kd::verify
