// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <bit>

#include "hooks/verify/walk.h"

namespace kd::verify {
namespace {

// PID_MAX_LIMIT
constexpr std::size_t kMostTasks = 1 << 22;

struct Layout {
  std::uint32_t size;
  Member tasks, pid, comm, stack, mm, files, nsproxy, signal, thread_node;
  std::uint32_t signal_size;
  Member thread_head;
};

Layout find_layout(Needed& needed) {
  const auto task = [&](std::string_view path) { return needed.member("task_struct", path); };
  return {.size = needed.size("task_struct"),
          .tasks = task("tasks"),
          .pid = task("pid"),
          .comm = task("comm"),
          .stack = task("stack"),
          .mm = task("mm"),
          .files = task("files"),
          .nsproxy = task("nsproxy"),
          .signal = task("signal"),
          .thread_node = task("thread_node"),
          .signal_size = needed.size("signal_struct"),
          .thread_head = needed.member("signal_struct", "thread_head")};
}

class Walk {
 public:
  Walk(const Kernel& kernel, const Layout& layout, Tasks& out)
      : kernel_(kernel), layout_(layout), out_(out) {}

  void run(std::uint64_t init_task) {
    (void)add(init_task);
    const std::uint64_t head = init_task + layout_.tasks.offset;
    const auto visit = [this](std::uint64_t entry) { process(entry - layout_.tasks.offset); };
    if (const Read<void> done = for_each_in_list(kernel_.memory, head, kMostTasks, visit); !done) {
      out_.check.miss(done.error(), fmt::format("the list of tasks after {}", last()));
    }
  }

 private:
  [[nodiscard]] std::string last() const {
    return out_.list.empty() ? "its start" : describe(out_.list.back());
  }

  // What can be told of a task that cannot be read whole.
  [[nodiscard]] std::string describe_part(std::uint64_t address) const {
    const Read<std::uint64_t> pid = read_number(kernel_.memory, address + layout_.pid.offset, 4);
    const auto name = read_bytes(kernel_.memory, address + layout_.comm.offset, layout_.comm.size);
    if (!pid || !name || name->front() == std::byte{0})
      return fmt::format("{:#x}, which follows {}", address, last());
    return describe(Task{.pid = static_cast<std::uint32_t>(*pid),
                         .name = text_in(*name, {0, layout_.comm.size})});
  }

  // Returns its signal_struct, 0 when it was there before or cannot be read.
  std::uint64_t add(std::uint64_t address) {
    if (!seen_.insert(address).second) return 0;
    const auto bytes = read_object(kernel_.memory, address, layout_.size);
    if (!bytes) {
      out_.check.miss(bytes.error(), fmt::format("task_struct of {}", describe_part(address)));
      return 0;
    }
    const auto value = [&](const Member& member) { return number(*bytes, member.offset); };
    out_.list.push_back({.address = address,
                         .pid = static_cast<std::uint32_t>(number(*bytes, layout_.pid.offset, 4)),
                         .name = text_in(*bytes, layout_.comm),
                         .stack = value(layout_.stack),
                         .mm = value(layout_.mm),
                         .files = value(layout_.files),
                         .nsproxy = value(layout_.nsproxy)});
    ++out_.check.count;
    return value(layout_.signal);
  }

  void process(std::uint64_t leader) {
    const std::uint64_t signal = add(leader);
    if (signal == 0) return;
    const std::string whose = last();
    if (const auto bytes = read_object(kernel_.memory, signal, layout_.signal_size); !bytes) {
      out_.check.miss(bytes.error(), fmt::format("signal_struct of {}", whose));
      return;
    }
    const auto visit = [this](std::uint64_t entry) {
      if (seen_.size() < kMostTasks) (void)add(entry - layout_.thread_node.offset);
    };
    const Read<void> done =
        for_each_in_list(kernel_.memory, signal + layout_.thread_head.offset, kMostTasks, visit);
    if (!done) out_.check.miss(done.error(), fmt::format("the threads of {}", whose));
  }

  const Kernel& kernel_;
  const Layout& layout_;
  Tasks& out_;
  std::unordered_set<std::uint64_t> seen_;
};

// THREAD_SIZE, 0 when unknown.
std::uint64_t stack_size(const Kernel& kernel) {
  std::uint64_t size = kernel.types.size("thread_union").value_or(0);
  if (size == 0) {
    size = kernel.symbols.at("__end_init_stack") - kernel.symbols.at("__start_init_stack");
  }
  if (size == 0) {
    size = kernel.symbols.at("__end_init_task") - kernel.symbols.at("__start_init_task");
  }
  return std::has_single_bit(size) && size >= 4096 && size <= 1 << 20 ? size : 0;
}

}  // namespace

std::string describe(const Task& task) { return fmt::format("pid {} ({})", task.pid, task.name); }

Tasks walk_tasks(const Kernel& kernel) {
  Tasks tasks{.check = {.name = "tasks"}, .list = {}};
  Needed needed(kernel.types);
  const Layout layout = find_layout(needed);
  const std::uint64_t init_task = kernel.symbols.at("init_task");
  if (!needed.missing().empty()) {
    tasks.check.not_checked = fmt::format("the types have no {}", needed.missing());
  } else if (init_task == 0) {
    tasks.check.not_checked = "there is no symbol init_task";
  } else {
    Walk(kernel, layout, tasks).run(init_task);
  }
  return tasks;
}

Check walk_stacks(const Kernel& kernel, const std::vector<Task>& tasks) {
  Check check{.name = "stacks"};
  const std::uint64_t size = stack_size(kernel);
  if (size == 0) {
    check.not_checked = "the size of a stack is unknown";
    return check;
  }
  for (const Task& task : tasks) {
    if (task.stack == 0) continue;  // a task that is about to go has given it back
    if (const Read<void> done = read_through(kernel.memory, task.stack, size); done) {
      ++check.count;
    } else {
      check.miss(done.error(), fmt::format("stack of {}", describe(task)));
    }
  }
  return check;
}

}  // namespace kd::verify
