// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "builder/base/result.h"
#include "hooks/verify/types.h"

struct btf;

namespace kd::verify {

// Types out of the BTF that a kernel carries for itself (Documentation/bpf/btf.rst).
class BtfTypes final : public Types {
 public:
  static Result<std::unique_ptr<BtfTypes>> parse(std::span<const std::byte> data);

  [[nodiscard]] std::optional<std::uint32_t> size(std::string_view type) const override;
  [[nodiscard]] std::optional<Member> member(std::string_view type,
                                             std::string_view path) const override;
  [[nodiscard]] std::optional<std::uint64_t> enumerator(std::string_view name) const override;
  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  struct Free {
    void operator()(btf* data) const;
  };
  [[nodiscard]] std::string_view name_at(std::uint32_t offset) const;
  [[nodiscard]] std::uint32_t skip_qualifiers(std::uint32_t id) const;
  [[nodiscard]] std::optional<Member> find(std::uint32_t id, std::string_view path,
                                           unsigned depth) const;

  std::unique_ptr<btf, Free> btf_;
  std::uint32_t count_ = 0;
  // Structs and unions; the kernel has several of some names.
  std::multimap<std::string_view, std::uint32_t> by_name_;
};

}  // namespace kd::verify
