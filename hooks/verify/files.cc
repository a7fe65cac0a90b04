// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "hooks/verify/walk.h"

namespace kd::verify {
namespace {

// fs.nr_open allows a million descriptors to a process by default.
constexpr std::uint64_t kMostDescriptors = 1 << 24;
constexpr std::uint64_t kMostInAll = 1 << 28;
constexpr std::uint64_t kPiece = 512;  // descriptors read at a time

struct Layout {
  std::uint32_t files_size;
  Member table;
  std::uint32_t table_size;
  Member most, descriptors;
  std::uint32_t file_size;
  Member dentry, inode;
  std::uint32_t dentry_size, inode_size;
};

Layout find_layout(Needed& needed) {
  (void)needed.member("dentry", "d_name.name");
  (void)needed.member("dentry", "d_name.len");
  return {.files_size = needed.size("files_struct"),
          .table = needed.member("files_struct", "fdt"),
          .table_size = needed.size("fdtable"),
          .most = needed.member("fdtable", "max_fds"),
          .descriptors = needed.member("fdtable", "fd"),
          .file_size = needed.size("file"),
          .dentry = needed.member("file", "f_path.dentry"),
          .inode = needed.member("file", "f_inode"),
          .dentry_size = needed.size("dentry"),
          .inode_size = needed.size("inode")};
}

class Walk {
 public:
  Walk(const Kernel& kernel, const Layout& layout, Check& check)
      : kernel_(kernel), layout_(layout), check_(check) {}

  void files_of(const Task& task) {
    if (task.files == 0 || !seen_.insert(task.files).second) return;
    const auto files = read(task.files, layout_.files_size, "files_struct", task);
    if (files.empty()) return;
    const auto table =
        read(number(files, layout_.table.offset), layout_.table_size, "fdtable", task);
    if (table.empty()) return;
    const std::uint64_t count = number(table, layout_.most.offset, 4);
    const std::uint64_t first = number(table, layout_.descriptors.offset);
    if (count > kMostDescriptors || (looked_at_ += count) > kMostInAll) {
      check_.miss({Unread::Kind::kCircle, first, {}, fmt::format("{} descriptors", count)},
                  fmt::format("open files of {}", describe(task)));
      return;
    }
    for (std::uint64_t at = 0; at < count; at += kPiece) {
      const std::uint64_t piece = std::min(kPiece, count - at);
      const auto pointers = read_bytes(kernel_.memory, first + at * 8, piece * 8);
      if (!pointers) {
        check_.miss(pointers.error(), fmt::format("descriptors of {}", describe(task)));
        continue;
      }
      for (std::uint64_t i = 0; i < piece; ++i) {
        if (const std::uint64_t file = number(*pointers, i * 8); file != 0) {
          open_file(file, at + i, task);
        }
      }
    }
  }

 private:
  std::vector<std::byte> read(std::uint64_t address, std::size_t size, std::string_view what,
                              const Task& task) {
    return read_or_miss(kernel_, address, size, fmt::format("{} of {}", what, describe(task)),
                        check_);
  }

  void open_file(std::uint64_t address, std::uint64_t descriptor, const Task& task) {
    ++check_.count;
    if (!seen_.insert(address).second) return;
    const auto whose = [&](std::string_view what) {
      return fmt::format("{} of descriptor {}", what, descriptor);
    };
    const auto file = read(address, layout_.file_size, whose("file"), task);
    const std::uint64_t dentry = number(file, layout_.dentry.offset);
    const std::uint64_t inode = number(file, layout_.inode.offset);
    if (inode != 0 && seen_.insert(inode).second) {
      (void)read(inode, layout_.inode_size, whose("inode"), task);
    }
    if (dentry == 0 || !seen_.insert(dentry).second) return;
    const auto bytes = read(dentry, layout_.dentry_size, whose("dentry"), task);
    if (bytes.empty()) return;
    if (const Read<std::string> name = dentry_name(kernel_, bytes); !name) {
      check_.miss(name.error(), fmt::format("{} of {}", whose("name"), describe(task)));
    }
  }

  const Kernel& kernel_;
  const Layout& layout_;
  Check& check_;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t looked_at_ = 0;
};

}  // namespace

Check walk_files(const Kernel& kernel, const std::vector<Task>& tasks) {
  Check check{.name = "open files"};
  Needed needed(kernel.types);
  const Layout layout = find_layout(needed);
  if (!needed.missing().empty()) {
    check.not_checked = fmt::format("the types have no {}", needed.missing());
    return check;
  }
  Walk walk(kernel, layout, check);
  for (const Task& task : tasks) walk.files_of(task);
  return check;
}

}  // namespace kd::verify
