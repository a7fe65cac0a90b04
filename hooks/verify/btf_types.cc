// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/btf_types.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

namespace kd::verify {
namespace {

// Damaged data may refer to itself.
constexpr unsigned kMostQualifiers = 32, kMostLevels = 16;

}  // namespace

void BtfTypes::Free::operator()(btf* data) const { btf__free(data); }

Result<std::unique_ptr<BtfTypes>> BtfTypes::parse(std::span<const std::byte> data) {
  libbpf_set_print(nullptr);
  auto types = std::make_unique<BtfTypes>();
  btf* parsed = btf__new(data.data(), static_cast<std::uint32_t>(data.size()));
  if (const long error = libbpf_get_error(parsed); error != 0) {
    return fail_errno(static_cast<int>(-error), "libbpf cannot read the types of this kernel");
  }
  types->btf_.reset(parsed);
  types->count_ = btf__type_cnt(parsed);
  for (std::uint32_t id = 1; id < types->count_; ++id) {
    const btf_type* type = btf__type_by_id(parsed, id);
    if (type == nullptr || !btf_is_composite(type)) continue;
    const std::string_view name = types->name_at(type->name_off);
    if (!name.empty()) types->by_name_.emplace(name, id);
  }
  return types;
}

std::string_view BtfTypes::name_at(std::uint32_t offset) const {
  const char* name = btf__name_by_offset(btf_.get(), offset);
  return name == nullptr ? std::string_view{} : name;
}

std::uint32_t BtfTypes::skip_qualifiers(std::uint32_t id) const {
  for (unsigned i = 0; i < kMostQualifiers; ++i) {
    const btf_type* type = btf__type_by_id(btf_.get(), id);
    if (type == nullptr) return 0;
    if (!btf_is_mod(type) && !btf_is_typedef(type)) return id;
    id = type->type;
  }
  return 0;
}

std::optional<std::uint32_t> BtfTypes::size(std::string_view type) const {
  const auto found = by_name_.find(type);
  if (found == by_name_.end()) return std::nullopt;
  const btf_type* entry = btf__type_by_id(btf_.get(), found->second);
  // A whole structure is read at once; none of the kernel's is larger.
  return entry == nullptr || entry->size > 1 << 20 ? std::nullopt : std::optional(entry->size);
}

std::optional<Member> BtfTypes::find(std::uint32_t id, std::string_view path,
                                     unsigned depth) const {
  id = skip_qualifiers(id);
  const btf_type* type = btf__type_by_id(btf_.get(), id);
  if (type == nullptr || !btf_is_composite(type) || depth == kMostLevels) return std::nullopt;
  const std::string_view first = path.substr(0, path.find('.'));
  const std::string_view rest = path.substr(std::min(path.size(), first.size() + 1));
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    const btf_member& entry = btf_members(type)[i];
    const std::string_view name = name_at(entry.name_off);
    const std::uint32_t offset = btf_member_bit_offset(type, i) / 8;
    std::optional<Member> found;
    if (name.empty()) {
      found = find(entry.type, path, depth + 1);
    } else if (name == first && !rest.empty()) {
      found = find(entry.type, rest, depth + 1);
    } else if (name == first) {
      const std::int64_t bytes = btf__resolve_size(btf_.get(), entry.type);
      found = Member{0, static_cast<std::uint32_t>(std::max<std::int64_t>(bytes, 0))};
    }
    if (found) return Member{found->offset + offset, found->size};
  }
  return std::nullopt;
}

std::optional<Member> BtfTypes::member(std::string_view type, std::string_view path) const {
  const auto [from, to] = by_name_.equal_range(type);
  for (auto at = from; at != to; ++at) {
    if (const std::optional<Member> found = find(at->second, path, 0)) return found;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> BtfTypes::enumerator(std::string_view name) const {
  for (std::uint32_t id = 1; id < count_; ++id) {
    const btf_type* type = btf__type_by_id(btf_.get(), id);
    if (type == nullptr || !btf_is_enum(type)) continue;
    for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
      const struct btf_enum& entry = btf_enum(type)[i];
      if (name_at(entry.name_off) == name) return static_cast<std::uint32_t>(entry.val);
    }
  }
  return std::nullopt;
}

}  // namespace kd::verify
