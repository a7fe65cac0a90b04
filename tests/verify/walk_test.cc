// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/verify/fake_kernel.h"

namespace kd::verify {
namespace {

using ::testing::HasSubstr;

std::string first(const Check& check) {
  return check.first_missing ? describe(*check.first_missing) : "";
}

TEST(Tasks, AreFoundWithTheirThreads) {
  FakeKernel fake;
  fake.add_process(1, "init");
  fake.add_thread(fake.add_process(17, "bash"), 18, "bash-helper");
  const Tasks tasks = walk_tasks(fake.kernel());
  EXPECT_EQ(tasks.check.count, 4U);
  EXPECT_EQ(tasks.check.missing_count, 0U) << first(tasks.check);
  EXPECT_EQ(describe(tasks.list.back()), "pid 18 (bash-helper)");
  EXPECT_EQ(walk_stacks(fake.kernel(), tasks.list).count, 4U);
}

TEST(Tasks, AMissingOneIsNamedByTheOneInFrontOfIt) {
  FakeKernel fake;
  fake.add_process(1, "init");
  const std::uint64_t gone = fake.add_process(17, "bash");
  fake.memory.remove(gone);
  const Tasks tasks = walk_tasks(fake.kernel());
  EXPECT_EQ(tasks.check.count, 2U);
  EXPECT_THAT(first(tasks.check),
              HasSubstr(fmt::format("page {:#x} is not in the dump: task_struct "
                                    "of {:#x}, which follows pid 1 (init)",
                                    gone / 4096, gone)));
}

// So an ELF dump has a page that was left out.
TEST(Tasks, ZerosAreNone) {
  FakeKernel fake;
  fake.add_process(1, "init");
  const std::uint64_t gone = fake.add_process(17, "bash");
  fake.add_process(18, "lost");
  fake.memory.put(gone, std::string(FakeMemory::kPage, '\0'));
  const Tasks tasks = walk_tasks(fake.kernel());
  EXPECT_EQ(tasks.check.count, 2U);
  EXPECT_EQ(tasks.check.missing_count, 2U) << "the task, and the list behind it";
  EXPECT_THAT(first(tasks.check),
              HasSubstr(fmt::format("address {:#x} is not in the dump: task_struct", gone)));
}

TEST(Files, ZerosAreNone) {
  FakeKernel fake;
  const std::uint64_t task = fake.add_process(1, "init");
  const std::uint64_t file = fake.add_file(task, 3, "log");
  fake.memory.put(fake.at(file, "file", "f_inode"), std::string(FakeMemory::kPage, '\0'));
  const Check files = walk_files(fake.kernel(), walk_tasks(fake.kernel()).list);
  EXPECT_THAT(first(files), HasSubstr("is not in the dump: inode of descriptor 3 of pid 1 (init)"));
}

// task_struct has 10 KB: often one page of several is gone.
TEST(Tasks, AMissingOneIsNamedByItselfWhereItsNameIsThere) {
  FakeKernel fake;
  fake.types.structs["task_struct"].size = 3 * FakeMemory::kPage;
  const std::uint64_t task = fake.add_process(17, "bash");
  fake.add_process(18, "next");
  fake.memory.remove(task + 2 * FakeMemory::kPage);
  fake.memory.add_pages(fake.init_task, 3 * FakeMemory::kPage);
  const Tasks tasks = walk_tasks(fake.kernel());
  EXPECT_THAT(first(tasks.check), HasSubstr("task_struct of pid 17 (bash)"));
  EXPECT_EQ(tasks.check.missing_count, 1U);
  EXPECT_EQ(tasks.list.back().name, "next");
}

TEST(Tasks, AListThatLeadsInACircleEnds) {
  FakeKernel fake;
  fake.add_process(1, "init");
  const std::uint64_t task = fake.add_process(17, "bash");
  const std::uint64_t link = task + fake.types.member("task_struct", "tasks")->offset;
  fake.memory.put(link, link);
  const Tasks tasks = walk_tasks(fake.kernel());
  EXPECT_EQ(tasks.check.count, 3U);
  EXPECT_THAT(first(tasks.check), HasSubstr("circle"));
  EXPECT_THAT(first(tasks.check), HasSubstr("the list of tasks after pid 17 (bash)"));
}

TEST(Tasks, WithoutATypeAreNotChecked) {
  FakeKernel fake;
  fake.types.structs["task_struct"].members.erase("thread_node");
  const Tasks tasks = walk_tasks(fake.kernel());
  EXPECT_EQ(tasks.check.not_checked, "the types have no task_struct.thread_node");
}

TEST(Stacks, AMissingPageIsSaidWithTheTask) {
  FakeKernel fake;
  const std::uint64_t task = fake.add_process(17, "bash");
  const std::uint64_t page = fake.at(task, "task_struct", "stack") + FakeMemory::kPage;
  fake.memory.remove(page);
  const Check check = walk_stacks(fake.kernel(), walk_tasks(fake.kernel()).list);
  EXPECT_EQ(check.count, 1U);
  EXPECT_EQ(first(check), fmt::format("page {:#x} is not in the dump: stack of pid 17 (bash)",
                                      page / FakeMemory::kPage));
}

TEST(Stacks, ATaskThatGaveItsStackBackIsLeftOut) {
  FakeKernel fake;
  fake.set(fake.add_process(17, "bash"), "task_struct", "stack", 0);
  const Check check = walk_stacks(fake.kernel(), walk_tasks(fake.kernel()).list);
  EXPECT_EQ(check.count, 1U);
  EXPECT_EQ(check.missing_count, 0U);
}

// A root of kind 3 (arange) with two leaves of kind 1, the first full.
struct MappedProcess {
  FakeKernel fake;
  std::uint64_t mm = 0, root = 0, leaf[2] = {}, area[18] = {};
  MappedProcess() {
    const std::uint64_t task = fake.add_process(17, "bash");
    mm = fake.object("mm_struct");
    fake.set(task, "task_struct", "mm", mm);
    fake.set(mm, "mm_struct", "pgd", fake.allocate());
    root = fake.object("maple_node");
    for (std::uint64_t& node : leaf) node = fake.object("maple_node");
    for (std::uint64_t& entry : area) entry = fake.object("vm_area_struct");
    fake.set(mm, "mm_struct", "mm_mt.ma_root", root | 3 << 3 | 2);
    fake.memory.put(root + 8, 15);
    fake.memory.put(root + 80, leaf[0] | 1 << 3 | 4);
    fake.memory.put(root + 88, leaf[1] | 1 << 3 | 4);
    for (unsigned i = 0; i < 16; ++i) {
      if (i < 15) fake.memory.put(leaf[0] + 8 + 8 * i, i);
      fake.memory.put(leaf[0] + 128 + 8 * i, area[i]);
    }
    // A hole, an area, and one up to the end of the node, whose pivot is 0. What lies behind is
    // old.
    fake.memory.put(leaf[1] + 8, 16);
    fake.memory.put(leaf[1] + 16, 17);
    fake.memory.put(leaf[1] + 128 + 8, area[16]);
    fake.memory.put(leaf[1] + 128 + 16, area[17]);
    fake.memory.put(leaf[1] + 128 + 24, 0xdead0000);
  }
  Check check() { return walk_memory_maps(fake.kernel(), walk_tasks(fake.kernel()).list); }
};

TEST(MemoryMaps, EveryAreaOfAMapleTreeIsRead) {
  MappedProcess process;
  const Check check = process.check();
  EXPECT_EQ(check.count, 1U);
  EXPECT_EQ(check.detail, "18 areas");
  EXPECT_EQ(check.missing_count, 0U) << first(check);
}

TEST(MemoryMaps, EachMissingPartIsSaid) {
  for (const auto& [part, name] :
       std::vector<std::pair<std::function<std::uint64_t(MappedProcess&)>, std::string>>{
           {[](MappedProcess& p) { return p.mm; }, "mm_struct of pid 17 (bash)"},
           {[](MappedProcess& p) { return p.fake.at(p.mm, "mm_struct", "pgd"); },
            "page tables of pid 17 (bash)"},
           {[](MappedProcess& p) { return p.root; }, "memory map of pid 17 (bash)"},
           {[](MappedProcess& p) { return p.leaf[0]; }, "memory map of pid 17 (bash)"},
           {[](MappedProcess& p) { return p.area[17]; }, "vm_area_struct of pid 17 (bash)"}}) {
    MappedProcess process;
    process.fake.memory.remove(part(process));
    const Check check = process.check();
    EXPECT_EQ(check.missing_count, 1U);
    EXPECT_THAT(first(check), HasSubstr(name));
  }
}

TEST(MemoryMaps, ATreeThatLeadsInACircleEnds) {
  MappedProcess process;
  process.fake.memory.put(process.root + 88, process.root | 3 << 3 | 2);
  EXPECT_THAT(first(process.check()), HasSubstr("circle"));
}

TEST(Files, AreReadDownToNameAndInode) {
  FakeKernel fake;
  const std::uint64_t task = fake.add_process(17, "bash");
  fake.add_file(task, 0, "tty1");
  fake.add_file(task, 63, "history");
  const std::vector<Task> tasks = walk_tasks(fake.kernel()).list;
  EXPECT_EQ(walk_files(fake.kernel(), tasks).count, 2U);
  EXPECT_EQ(walk_files(fake.kernel(), tasks).missing_count, 0U);
}

TEST(Files, EachMissingPartIsSaidWithItsDescriptor) {
  for (const std::string part : {"file", "dentry", "inode", "name"}) {
    FakeKernel fake;
    const std::uint64_t task = fake.add_process(17, "bash");
    const std::uint64_t file = fake.add_file(task, 5, "history");
    const std::uint64_t dentry = fake.at(file, "file", "f_path.dentry");
    fake.memory.remove(part == "file"     ? file
                       : part == "dentry" ? dentry
                       : part == "inode"  ? fake.at(file, "file", "f_inode")
                                          : fake.at(dentry, "dentry", "d_name.name"));
    const Check check = walk_files(fake.kernel(), walk_tasks(fake.kernel()).list);
    EXPECT_EQ(check.missing_count, 1U) << part;
    EXPECT_THAT(first(check), HasSubstr(part + " of descriptor 5 of pid 17 (bash)"));
  }
}

TEST(Files, ACountBeyondAllReasonIsNotFollowed) {
  FakeKernel fake;
  const std::uint64_t task = fake.add_process(17, "bash");
  fake.add_file(task, 0, "tty1");
  const std::uint64_t table = fake.at(fake.at(task, "task_struct", "files"), "files_struct", "fdt");
  fake.set(table, "fdtable", "max_fds", 0xffffffff);
  const Check check = walk_files(fake.kernel(), walk_tasks(fake.kernel()).list);
  EXPECT_THAT(first(check), HasSubstr("4294967295 descriptors"));
}

TEST(Modules, AreReadWithTheirCode) {
  FakeKernel fake;
  fake.add_module("ext4");
  fake.add_module("virtio_blk");
  const Check check = walk_modules(fake.kernel());
  EXPECT_EQ(check.count, 2U);
  EXPECT_EQ(check.missing_count, 0U) << first(check);
}

TEST(Modules, MissingCodeIsSaidWithTheModule) {
  FakeKernel fake;
  const std::uint64_t module = fake.add_module("ext4");
  fake.memory.remove(fake.at(module, "module", "mem") + 2 * FakeMemory::kPage);
  EXPECT_THAT(first(walk_modules(fake.kernel())), HasSubstr("code or data of module ext4"));
}

TEST(Modules, AMissingOneIsNamedByTheOneInFrontOfIt) {
  FakeKernel fake;
  fake.add_module("ext4");
  fake.memory.remove(fake.add_module("virtio_blk"));
  EXPECT_THAT(first(walk_modules(fake.kernel())), HasSubstr("the module after ext4"));
}

struct MountedSystem {
  FakeKernel fake;
  std::uint64_t root = 0, var = 0, crash = 0, point = 0;
  explicit MountedSystem(bool tree) {
    if (tree) {
      auto& space = fake.types.structs["mnt_namespace"].members;
      space.erase("list");
      space["mounts.rb_node"] = {8, 8};
    }
    root = fake.add_mount(0, 0);
    const std::uint64_t top = fake.at(root, "mount", "mnt.mnt_root");
    var = fake.add_mount(root, fake.add_dentry("var", top));
    point = fake.add_dentry("crash", fake.at(var, "mount", "mnt.mnt_root"));
    crash = fake.add_mount(var, point);
    if (!tree) return;
    const std::uint32_t node = fake.types.member("mount", "mnt_node")->offset;
    fake.memory.put(fake.mount_namespace + 8, var + node);
    fake.memory.put(var + node + 16, root + node);
    fake.memory.put(var + node + 8, crash + node);
  }
  Check check() { return walk_mounts(fake.kernel(), walk_tasks(fake.kernel()).list); }
};

TEST(Mounts, AreFoundInAListAndInATree) {
  for (const bool tree : {false, true}) {
    MountedSystem system(tree);
    const Check check = system.check();
    EXPECT_EQ(check.count, 3U) << tree;
    EXPECT_EQ(check.detail, "1 namespaces");
    EXPECT_EQ(check.missing_count, 0U) << first(check);
  }
}

TEST(Mounts, AMissingSuperBlockIsSaidWithTheWholePath) {
  MountedSystem system(false);
  system.fake.memory.remove(system.fake.at(system.crash, "mount", "mnt.mnt_sb"));
  EXPECT_THAT(first(system.check()), HasSubstr("super_block of the mount at /var/crash"));
}

TEST(Mounts, ATreeAndAPathThatLeadInACircleEnd) {
  MountedSystem system(true);
  const std::uint32_t node = system.fake.types.member("mount", "mnt_node")->offset;
  system.fake.memory.put(system.crash + node + 8, system.var + node);
  system.fake.set(system.point, "dentry", "d_parent", system.point);
  system.fake.set(system.root, "mount", "mnt_parent", system.crash);
  EXPECT_THAT(first(system.check()), HasSubstr("circle"));
}

TEST(Mounts, ThePlaceOfAReaderIsNoMount) {
  MountedSystem system(false);
  system.fake.set(system.crash, "mount", "mnt.mnt_root", 0);
  EXPECT_EQ(system.check().count, 2U);
}

}  // namespace
}  // namespace kd::verify
