// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "hooks/verify/walk.h"

namespace kd::verify {
namespace {

// fs.mount-max allows 100,000 to a namespace.
constexpr std::size_t kMostMounts = 1 << 20;
// Components and mounts on the way up; PATH_MAX would allow 2048 of them.
constexpr unsigned kDeepest = 512;

struct Layout {
  Member namespace_of;  // in nsproxy
  std::uint32_t nsproxy_size, namespace_size;
  std::uint32_t entries;  // in mnt_namespace
  bool tree;
  std::uint32_t link;  // in mount, of what `entries` leads to
  std::uint32_t mount_size;
  Member parent, point, root, super_block, device;
  std::uint32_t super_block_size, dentry_size;
  Member dentry_parent;
};

Layout find_layout(const Types& types, Needed& needed) {
  // A tree since Linux 6.8, a list before.
  const std::optional<Member> tree = types.member("mnt_namespace", "mounts.rb_node");
  const auto mount = [&](std::string_view path) { return needed.member("mount", path); };
  (void)needed.member("dentry", "d_name.name");
  (void)needed.member("dentry", "d_name.len");
  return {.namespace_of = needed.member("nsproxy", "mnt_ns"),
          .nsproxy_size = needed.size("nsproxy"),
          .namespace_size = needed.size("mnt_namespace"),
          .entries = (tree ? *tree : needed.member("mnt_namespace", "list")).offset,
          .tree = tree.has_value(),
          .link = mount(tree ? "mnt_node" : "mnt_list").offset,
          .mount_size = needed.size("mount"),
          .parent = mount("mnt_parent"),
          .point = mount("mnt_mountpoint"),
          .root = mount("mnt.mnt_root"),
          .super_block = mount("mnt.mnt_sb"),
          .device = mount("mnt_devname"),
          .super_block_size = needed.size("super_block"),
          .dentry_size = needed.size("dentry"),
          .dentry_parent = needed.member("dentry", "d_parent")};
}

class Walk {
 public:
  Walk(const Kernel& kernel, const Layout& layout, Check& check)
      : kernel_(kernel), layout_(layout), check_(check) {}

  void namespace_of(const Task& task) {
    if (task.nsproxy == 0 || !seen_.insert(task.nsproxy).second) return;
    const auto proxy = read(task.nsproxy, layout_.nsproxy_size, "nsproxy of " + describe(task));
    const std::uint64_t space = number(proxy, layout_.namespace_of.offset);
    if (space == 0 || !seen_.insert(space).second) return;
    const std::string whose = "mount namespace of " + describe(task);
    if (read(space, layout_.namespace_size, whose).empty()) return;
    ++namespaces_;
    const auto visit = [&](std::uint64_t entry) {
      if (check_.count < kMostMounts) mount(entry - layout_.link, whose);
    };
    const std::uint64_t entries = space + layout_.entries;
    const Read<void> done = layout_.tree
                                ? for_each_in_tree(kernel_, entries, kMostMounts, visit)
                                : for_each_in_list(kernel_.memory, entries, kMostMounts, visit);
    if (!done) check_.miss(done.error(), whose);
  }
  [[nodiscard]] std::size_t namespaces() const { return namespaces_; }

 private:
  std::vector<std::byte> read(std::uint64_t address, std::size_t size, const std::string& what) {
    return read_or_miss(kernel_, address, size, what, check_);
  }

  void mount(std::uint64_t address, const std::string& whose) {
    const auto bytes = read(address, layout_.mount_size, "mount in the " + whose);
    const std::uint64_t root = number(bytes, layout_.root.offset);
    // The place of somebody who reads /proc/mounts is in the list as well; it has no root.
    if (root == 0) return;
    ++check_.count;
    const std::string path = path_of(address, whose);
    (void)read(root, layout_.dentry_size, fmt::format("root of the mount at {}", path));
    const std::uint64_t device = number(bytes, layout_.device.offset);
    if (device != 0) {
      const Read<void> name = read_through(kernel_.memory, device, 1);
      if (!name) check_.miss(name.error(), fmt::format("source of the mount at {}", path));
    }
    const std::uint64_t super_block = number(bytes, layout_.super_block.offset);
    if (super_block == 0 || !seen_.insert(super_block).second) return;
    (void)read(super_block, layout_.super_block_size,
               fmt::format("super_block of the mount at {}", path));
  }

  // From the mount point up to the root of all mounts, as d_path() goes.
  std::string path_of(std::uint64_t mount, const std::string& whose) {
    std::string path;
    std::uint64_t dentry = 0;
    for (unsigned step = 0; step < kDeepest; ++step) {
      const auto here = read(mount, layout_.mount_size, "mount in the " + whose);
      if (here.empty()) break;
      if (dentry == 0 || dentry == number(here, layout_.root.offset)) {
        const std::uint64_t parent = number(here, layout_.parent.offset);
        if (parent == mount || parent == 0) break;
        dentry = number(here, layout_.point.offset);
        mount = parent;
        continue;
      }
      const auto bytes = read(dentry, layout_.dentry_size, fmt::format("mount point …{}", path));
      if (bytes.empty()) break;
      const Read<std::string> name = dentry_name(kernel_, bytes);
      if (!name) check_.miss(name.error(), fmt::format("name of mount point …{}", path));
      const std::uint64_t up = number(bytes, layout_.dentry_parent.offset);
      if (up == dentry || up == 0) break;
      path.insert(0, "/" + name.value_or("?"));
      dentry = up;
    }
    return path.empty() ? "/" : path;
  }

  const Kernel& kernel_;
  const Layout& layout_;
  Check& check_;
  std::unordered_set<std::uint64_t> seen_;
  std::size_t namespaces_ = 0;
};

}  // namespace

Check walk_mounts(const Kernel& kernel, const std::vector<Task>& tasks) {
  Check check{.name = "mounts"};
  Needed needed(kernel.types);
  const Layout layout = find_layout(kernel.types, needed);
  if (!needed.missing().empty()) {
    check.not_checked = fmt::format("the types have no {}", needed.missing());
    return check;
  }
  Walk walk(kernel, layout, check);
  for (const Task& task : tasks) walk.namespace_of(task);
  check.detail = fmt::format("{} namespaces", walk.namespaces());
  return check;
}

}  // namespace kd::verify
