// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "hooks/verify/walk.h"

namespace kd::verify {
namespace {

// vm.max_map_count allows 65,530 areas to a process.
constexpr std::size_t kMostAreas = 1 << 24;
constexpr std::size_t kPageTable = 4096;

struct Layout {
  std::uint32_t mm_size;
  Member pgd, root;
  std::uint32_t area_size;
};

}  // namespace

Check walk_memory_maps(const Kernel& kernel, const std::vector<Task>& tasks) {
  Check check{.name = "memory maps"};
  Needed needed(kernel.types);
  const Layout layout{.mm_size = needed.size("mm_struct"),
                      .pgd = needed.member("mm_struct", "pgd"),
                      .root = needed.member("mm_struct", "mm_mt.ma_root"),
                      .area_size = needed.size("vm_area_struct")};
  if (!needed.missing().empty()) {
    check.not_checked = fmt::format("the types have no {}", needed.missing());
    return check;
  }
  std::unordered_set<std::uint64_t> seen;
  std::uint64_t areas = 0;
  for (const Task& task : tasks) {
    if (task.mm == 0 || !seen.insert(task.mm).second) continue;
    const auto mm = read_or_miss(kernel, task.mm, layout.mm_size,
                                 fmt::format("mm_struct of {}", describe(task)), check);
    if (mm.empty()) continue;
    ++check.count;
    const std::uint64_t tables = number(mm, layout.pgd.offset);
    if (const Read<void> done = read_through(kernel.memory, tables, kPageTable); !done) {
      check.miss(done.error(), fmt::format("page tables of {}", describe(task)));
    }
    const auto visit = [&](std::uint64_t area) {
      if (++areas > kMostAreas) return;
      if (const Read<void> done = read_through(kernel.memory, area, layout.area_size); !done) {
        check.miss(done.error(), fmt::format("vm_area_struct of {}", describe(task)));
      }
    };
    const Read<void> done =
        for_each_in_maple_tree(kernel, number(mm, layout.root.offset), kMostAreas, visit);
    if (!done) check.miss(done.error(), fmt::format("memory map of {}", describe(task)));
  }
  check.detail = fmt::format("{} areas", areas);
  return check;
}

}  // namespace kd::verify
