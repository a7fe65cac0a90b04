// SPDX-License-Identifier: GPL-2.0-or-later
//
// VMCOREINFO: what a kernel tells about itself to those who read its dump
// (Documentation/admin-guide/kdump/vmcoreinfo.rst).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kd::verify {

class Vmcoreinfo {
 public:
  // Lines that are not KEY=VALUE are left out.
  explicit Vmcoreinfo(std::string_view text);

  [[nodiscard]] std::string_view text(std::string_view key) const;
  [[nodiscard]] std::optional<std::uint64_t> symbol(std::string_view name) const;
  // SIZE(name), OFFSET(name), LENGTH(name)
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view kind,
                                                    std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace kd::verify
