// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "hooks/verify/walk.h"

namespace kd::verify {
namespace {

constexpr std::size_t kMostModules = 1 << 14;
// The area that modules lie in has 1.5 GiB; none takes a tenth of that.
constexpr std::uint64_t kLargest = 128 << 20;

// Where the addresses of a module's parts stand in struct module.
struct Part {
  Member base, size;
};

struct Layout {
  std::uint32_t size;
  Member list, name;
  std::vector<Part> parts;
};

// Since Linux 6.4 a module has one part for each kind of memory, before that one for all that
// stays. What is for its start alone is given back and left out.
std::vector<Part> find_parts(const Types& types) {
  const std::optional<Member> all = types.member("module", "mem");
  const std::optional<Member> base = types.member("module_memory", "base");
  const std::optional<Member> size = types.member("module_memory", "size");
  const std::optional<std::uint32_t> each = types.size("module_memory");
  const std::optional<std::uint64_t> staying = types.enumerator("MOD_INIT_TEXT");
  std::vector<Part> parts;
  if (all && base && size && each.value_or(0) > 0 && staying) {
    for (std::uint32_t i = 0; i < std::min<std::uint64_t>(*staying, all->size / *each); ++i) {
      const std::uint32_t at = all->offset + i * *each;
      parts.push_back({{at + base->offset, base->size}, {at + size->offset, size->size}});
    }
    return parts;
  }
  const std::optional<Member> core = types.member("module", "core_layout.base");
  const std::optional<Member> core_size = types.member("module", "core_layout.size");
  if (core && core_size) parts.push_back({*core, *core_size});
  return parts;
}

void check_module(const Kernel& kernel, const Layout& layout, std::uint64_t address,
                  std::string& last, Check& check) {
  const auto bytes =
      read_or_miss(kernel, address, layout.size, fmt::format("the module after {}", last), check);
  if (bytes.empty()) return;
  last = text_in(bytes, layout.name);
  ++check.count;
  for (const Part& part : layout.parts) {
    const std::uint64_t base = number(bytes, part.base.offset);
    const std::uint64_t size = number(bytes, part.size.offset, part.size.size);
    if (base == 0 || size == 0) continue;
    if (const Read<void> done = read_through(kernel.memory, base, std::min(size, kLargest));
        !done) {
      check.miss(done.error(), fmt::format("code or data of module {}", last));
    }
  }
}

}  // namespace

Check walk_modules(const Kernel& kernel) {
  Check check{.name = "modules"};
  Needed needed(kernel.types);
  const Layout layout{.size = needed.size("module"),
                      .list = needed.member("module", "list"),
                      .name = needed.member("module", "name"),
                      .parts = find_parts(kernel.types)};
  const std::uint64_t head = kernel.symbols.at("modules");
  if (!needed.missing().empty()) {
    check.not_checked = fmt::format("the types have no {}", needed.missing());
  } else if (head == 0) {
    check.not_checked = "there is no symbol modules";
  } else {
    std::string last = "the start of the list";
    const auto visit = [&](std::uint64_t entry) {
      check_module(kernel, layout, entry - layout.list.offset, last, check);
    };
    const Read<void> done = for_each_in_list(kernel.memory, head, kMostModules, visit);
    if (!done) check.miss(done.error(), fmt::format("the list of modules after {}", last));
  }
  return check;
}

}  // namespace kd::verify
