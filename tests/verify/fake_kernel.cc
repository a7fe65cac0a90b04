// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/verify/fake_kernel.h"

namespace kd::verify {
namespace {

constexpr std::uint32_t kStack = 8192;

}  // namespace

FakeKernel::FakeKernel() {
  define("thread_union", kStack, {});
  define("task_struct", 512,
         {{"stack", {24, 8}},
          {"tasks", {40, 16}},
          {"mm", {64, 8}},
          {"pid", {72, 4}},
          {"comm", {80, 16}},
          {"files", {104, 8}},
          {"nsproxy", {112, 8}},
          {"signal", {120, 8}},
          {"thread_node", {136, 16}}});
  define("signal_struct", 64, {{"thread_head", {16, 16}}});
  define("mm_struct", 128, {{"pgd", {8, 8}}, {"mm_mt.ma_root", {32, 8}}});
  define("vm_area_struct", 64, {});
  define("maple_node", 256, {});
  define("maple_range_64", 256, {{"pivot", {8, 15 * 8}}, {"slot", {128, 16 * 8}}});
  define("maple_arange_64", 256, {{"pivot", {8, 9 * 8}}, {"slot", {80, 10 * 8}}});
  define("files_struct", 64, {{"fdt", {8, 8}}});
  define("fdtable", 32, {{"max_fds", {0, 4}}, {"fd", {8, 8}}});
  define("file", 128, {{"f_path.dentry", {16, 8}}, {"f_inode", {24, 8}}});
  define("dentry", 96, {{"d_parent", {8, 8}}, {"d_name.len", {20, 4}}, {"d_name.name", {24, 8}}});
  define("inode", 256, {{"i_mode", {0, 2}}});
  define("module", 256, {{"list", {8, 16}}, {"name", {24, 56}}, {"mem", {96, 3 * 16}}});
  define("module_memory", 16, {{"base", {0, 8}}, {"size", {8, 4}}});
  types.enumerators = {{"MOD_INIT_TEXT", 2}};
  define("nsproxy", 32, {{"mnt_ns", {16, 8}}});
  define("mnt_namespace", 64, {{"list", {8, 16}}});
  define("mount", 128,
         {{"mnt_parent", {8, 8}},
          {"mnt_mountpoint", {16, 8}},
          {"mnt.mnt_root", {24, 8}},
          {"mnt.mnt_sb", {32, 8}},
          {"mnt_list", {40, 16}},
          {"mnt_node", {40, 24}},
          {"mnt_devname", {64, 8}}});
  define("super_block", 64, {{"s_blocksize", {24, 8}}});
  define("rb_node", 24, {{"rb_right", {8, 8}}, {"rb_left", {16, 8}}});

  init_task = new_task(0, "swapper/0");
  symbols.addresses["init_task"] = init_task;
  const std::uint64_t tasks = init_task + types.member("task_struct", "tasks")->offset;
  memory.put(tasks, tasks);
  memory.put(tasks + 8, tasks);
  const std::uint64_t modules = allocate();
  symbols.addresses["modules"] = modules;
  memory.put(modules, modules);
  memory.put(modules + 8, modules);
  mount_namespace = object("mnt_namespace");
  const std::uint64_t mounts = mount_namespace + 8;
  memory.put(mounts, mounts);
  memory.put(mounts + 8, mounts);
  const std::uint64_t proxy = object("nsproxy");
  set(proxy, "nsproxy", "mnt_ns", mount_namespace);
  set(init_task, "task_struct", "nsproxy", proxy);
}

void FakeKernel::define(const std::string& type, std::uint32_t size,
                        const std::map<std::string, Member, std::less<>>& members) {
  types.structs[type] = {size, members};
}

std::uint64_t FakeKernel::allocate(std::uint64_t size) {
  const std::uint64_t address = next_;
  next_ += (size + 2 * FakeMemory::kPage - 1) / FakeMemory::kPage * FakeMemory::kPage;
  memory.add_pages(address, size);
  return address;
}

std::uint64_t FakeKernel::object(std::string_view type) {
  return allocate(types.structs.find(type)->second.size);
}

void FakeKernel::set(std::uint64_t address, std::string_view type, std::string_view member,
                     std::uint64_t value) {
  const Member found = types.member(type, member).value();
  memory.put(address + found.offset, value, std::min<std::uint32_t>(found.size, 8));
}

std::uint64_t FakeKernel::at(std::uint64_t address, std::string_view type,
                             std::string_view member) const {
  const Member found = types.member(type, member).value();
  return read_number(memory, address + found.offset, std::min<std::uint32_t>(found.size, 8))
      .value();
}

void FakeKernel::link(std::uint64_t head, std::uint64_t entry) {
  const std::uint64_t last = read_number(memory, head + 8).value();
  memory.put(last, entry);
  memory.put(entry, head);
  memory.put(entry + 8, last);
  memory.put(head + 8, entry);
}

std::uint64_t FakeKernel::new_task(std::uint32_t pid, std::string_view name) {
  const std::uint64_t task = object("task_struct");
  set(task, "task_struct", "pid", pid);
  memory.put(task + types.member("task_struct", "comm")->offset, name);
  set(task, "task_struct", "stack", allocate(kStack));
  const std::uint64_t signal = object("signal_struct");
  const std::uint64_t head = signal + types.member("signal_struct", "thread_head")->offset;
  memory.put(head, head);
  memory.put(head + 8, head);
  set(task, "task_struct", "signal", signal);
  link(head, task + types.member("task_struct", "thread_node")->offset);
  return task;
}

std::uint64_t FakeKernel::add_process(std::uint32_t pid, std::string_view name) {
  const std::uint64_t task = new_task(pid, name);
  const std::uint32_t tasks = types.member("task_struct", "tasks")->offset;
  link(init_task + tasks, task + tasks);
  return task;
}

std::uint64_t FakeKernel::add_thread(std::uint64_t leader, std::uint32_t pid,
                                     std::string_view name) {
  const std::uint64_t task = new_task(pid, name);
  const std::uint64_t signal = at(leader, "task_struct", "signal");
  set(task, "task_struct", "signal", signal);
  link(signal + types.member("signal_struct", "thread_head")->offset,
       task + types.member("task_struct", "thread_node")->offset);
  return task;
}

std::uint64_t FakeKernel::add_dentry(std::string_view name, std::uint64_t parent) {
  const std::uint64_t dentry = object("dentry"), text = allocate();
  memory.put(text, name);
  set(dentry, "dentry", "d_name.name", text);
  set(dentry, "dentry", "d_name.len", name.size());
  set(dentry, "dentry", "d_parent", parent == 0 ? dentry : parent);
  return dentry;
}

std::uint64_t FakeKernel::add_file(std::uint64_t task, unsigned descriptor, std::string_view name) {
  if (at(task, "task_struct", "files") == 0) {
    const std::uint64_t files = object("files_struct"), table = object("fdtable");
    set(table, "fdtable", "max_fds", 64);
    set(table, "fdtable", "fd", allocate());
    set(files, "files_struct", "fdt", table);
    set(task, "task_struct", "files", files);
  }
  const std::uint64_t table = at(at(task, "task_struct", "files"), "files_struct", "fdt");
  const std::uint64_t file = object("file");
  set(file, "file", "f_path.dentry", add_dentry(name, 0));
  const std::uint64_t inode = object("inode");
  set(inode, "inode", "i_mode", 0100644);
  set(file, "file", "f_inode", inode);
  memory.put(at(table, "fdtable", "fd") + 8ULL * descriptor, file);
  return file;
}

std::uint64_t FakeKernel::add_module(std::string_view name) {
  const std::uint64_t module = object("module");
  const std::uint32_t parts = types.member("module", "mem")->offset;
  memory.put(module + types.member("module", "name")->offset, name);
  memory.put(module + parts, allocate(3 * FakeMemory::kPage));
  memory.put(module + parts + 8, 3 * FakeMemory::kPage, 4);
  // What was for its start is gone.
  memory.put(module + parts + 32, 0xffffffffc0000000);
  memory.put(module + parts + 40, FakeMemory::kPage, 4);
  link(symbols.at("modules"), module + types.member("module", "list")->offset);
  return module;
}

std::uint64_t FakeKernel::add_mount(std::uint64_t parent, std::uint64_t point) {
  const std::uint64_t mount = object("mount");
  set(mount, "mount", "mnt_parent", parent == 0 ? mount : parent);
  set(mount, "mount", "mnt_mountpoint", point);
  set(mount, "mount", "mnt.mnt_root", add_dentry("/", 0));
  const std::uint64_t super_block = object("super_block");
  set(super_block, "super_block", "s_blocksize", 4096);
  set(mount, "mount", "mnt.mnt_sb", super_block);
  set(mount, "mount", "mnt_devname", allocate());
  if (types.member("mnt_namespace", "list")) {
    link(mount_namespace + types.member("mnt_namespace", "list")->offset,
         mount + types.member("mount", "mnt_list")->offset);
  }
  return mount;
}

}  // namespace kd::verify
