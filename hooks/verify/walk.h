// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a debugger follows first. Every walk is bounded: in a kernel that crashed, lists may lead in
// circles and counts may be anything. What cannot be read is counted, the first of it kept, and the
// walk goes on where it can.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "hooks/verify/check.h"
#include "hooks/verify/kallsyms.h"
#include "hooks/verify/types.h"

namespace kd::verify {

struct Kernel {
  const Memory& memory;
  const Types& types;
  const SymbolTable& symbols;
};

struct Task {
  std::uint64_t address = 0;
  std::uint32_t pid = 0;
  std::string name;  // comm
  std::uint64_t stack = 0, mm = 0, files = 0, nsproxy = 0;
};
std::string describe(const Task& task);  // "pid 17 (bash)"

// All tasks with their threads, from init_task on; the idle tasks of further CPUs are in no list.
struct Tasks {
  Check check;
  std::vector<Task> list;
};
Tasks walk_tasks(const Kernel& kernel);
Check walk_stacks(const Kernel& kernel, const std::vector<Task>& tasks);
// The memory map of every process: mm_struct, top page table, maple tree and areas.
Check walk_memory_maps(const Kernel& kernel, const std::vector<Task>& tasks);
// Every open file of every process down to name and inode.
Check walk_files(const Kernel& kernel, const std::vector<Task>& tasks);
// The list of modules, with their code and data.
Check walk_modules(const Kernel& kernel);
// The mounts of every mount namespace that a task is in, with their paths.
Check walk_mounts(const Kernel& kernel, const std::vector<Task>& tasks);

// Steps the walks share.

// The bytes of an object, which has something but zeros in it: those stand in an ELF dump for a
// page that makedumpfile left out (write_elf_pages_cyclic()).
Read<std::vector<std::byte>> read_object(const Memory& memory, std::uint64_t address,
                                         std::size_t size);
// The same; empty, and missed by `check`, when they cannot be read.
std::vector<std::byte> read_or_miss(const Kernel& kernel, std::uint64_t address, std::size_t size,
                                    std::string belongs_to, Check& check);

// Calls `visit` with the address of every entry of a circular list that starts at `head`, which is
// not visited itself. An error when the way is lost, or when it does not end before `limit`.
Read<void> for_each_in_list(const Memory& memory, std::uint64_t head, std::size_t limit,
                            const std::function<void(std::uint64_t)>& visit);
// The same for the nodes of a red-black tree, given the address of its rb_root.
Read<void> for_each_in_tree(const Kernel& kernel, std::uint64_t root, std::size_t limit,
                            const std::function<void(std::uint64_t)>& visit);
// The entries of a maple tree that are no nodes of it, given the value of ma_root.
Read<void> for_each_in_maple_tree(const Kernel& kernel, std::uint64_t root, std::size_t limit,
                                  const std::function<void(std::uint64_t)>& visit);
// Whether all of a piece of memory can be read.
Read<void> read_through(const Memory& memory, std::uint64_t address, std::uint64_t size);
// Up to the first NUL.
std::string text_in(std::span<const std::byte> bytes, const Member& member);
// The name of a dentry, out of its bytes.
Read<std::string> dentry_name(const Kernel& kernel, std::span<const std::byte> dentry);

}  // namespace kd::verify
