// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/mount_table.h"

#include <libmount/libmount.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "builder/base/path.h"

namespace kd {
namespace {

using Table = std::unique_ptr<libmnt_table, decltype(&mnt_unref_table)>;
using Iterator = std::unique_ptr<libmnt_iter, decltype(&mnt_free_iter)>;

// libmount replaces the source "/dev/root" by what this machine's /sys and /proc/cmdline say, also
// when the text is of another machine. A second slash keeps it from knowing the name.
constexpr std::string_view kRootSource = " /dev/root ";
constexpr std::string_view kHiddenRootSource = " //dev/root ";

std::string hide_root_source(std::string_view text) {
  std::string out(text);
  for (std::size_t at = 0; (at = out.find(kRootSource, at)) != std::string::npos;) {
    out.replace(at, kRootSource.size(), kHiddenRootSource);
    at += kHiddenRootSource.size() - 1;
  }
  return out;
}

std::string text_of(const char* value) { return value == nullptr ? "" : value; }

MountEntry entry_of(libmnt_fs* fs) {
  MountEntry entry{.id = mnt_fs_get_id(fs),
                   .parent = mnt_fs_get_parent_id(fs),
                   .number = {},
                   .root = text_of(mnt_fs_get_root(fs)),
                   .mount_point = text_of(mnt_fs_get_target(fs)),
                   .fs_type = text_of(mnt_fs_get_fstype(fs)),
                   .source = text_of(mnt_fs_get_source(fs)),
                   .options = text_of(mnt_fs_get_options(fs))};
  const dev_t number = mnt_fs_get_devno(fs);
  entry.number = fmt::format("{}:{}", major(number), minor(number));
  if (entry.source.starts_with("//dev/root")) entry.source.erase(0, 1);
  return entry;
}

Result<std::vector<MountEntry>> parse_table(std::string text, const char* name) {
  std::vector<MountEntry> entries;
  // fmemopen refuses a length of 0 on some systems, and libmount reads C strings.
  if (text.empty()) return entries;
  if (text.find('\0') != std::string::npos) return fail(ErrorKind::kFailed, "{}: NUL byte", name);

  const std::unique_ptr<FILE, int (*)(FILE*)> stream(fmemopen(text.data(), text.size(), "r"),
                                                     fclose);
  const Table table(mnt_new_table(), mnt_unref_table);
  const Iterator iterator(mnt_new_iter(MNT_ITER_FORWARD), mnt_free_iter);
  if (!stream || !table || !iterator) return fail_errno(ENOMEM, name);
  if (const int error = mnt_table_parse_stream(table.get(), stream.get(), name); error < 0) {
    return fail_errno(-error, name);
  }
  libmnt_fs* fs = nullptr;
  while (mnt_table_next_fs(table.get(), iterator.get(), &fs) == 0) {
    MountEntry entry = entry_of(fs);
    if (entry.mount_point.starts_with('/')) entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

Result<std::vector<MountEntry>> parse_mountinfo(std::string_view text) {
  return parse_table(hide_root_source(text), "mountinfo");
}

Result<std::vector<MountEntry>> parse_fstab(std::string_view text) {
  return parse_table(std::string(text), "fstab");
}

// Walks the tree of mounts as the kernel walks the path. The order of the lines does not tell what
// hides what: what an initramfs mounted stands before the root file system it was moved to.
const MountEntry* find_mount(const std::vector<MountEntry>& mountinfo, std::string_view path) {
  // Hosts of containers have thousands of mounts.
  std::vector<int> ids;
  ids.reserve(mountinfo.size());
  for (const MountEntry& entry : mountinfo) ids.push_back(entry.id);
  std::sort(ids.begin(), ids.end());
  const auto known = [&ids](int id) { return std::binary_search(ids.begin(), ids.end(), id); };
  const MountEntry* current = nullptr;
  // A path crosses each mount at most once; the bound ends loops in a damaged table.
  for (std::size_t step = 0; step < mountinfo.size(); ++step) {
    const MountEntry* next = nullptr;
    for (const MountEntry& entry : mountinfo) {
      const bool top = entry.parent == entry.id || !known(entry.parent);
      const bool below_current =
          current == nullptr
              ? top
              : entry.id != current->id &&
                    (entry.parent == current->id ||
                     (top && entry.mount_point.size() > current->mount_point.size()));
      if (below_current && is_within(entry.mount_point, path) &&
          (next == nullptr || entry.mount_point.size() <= next->mount_point.size())) {
        next = &entry;
      }
    }
    if (next == nullptr) break;
    current = next;
  }
  return current;
}

const MountEntry* find_fstab_entry(const std::vector<MountEntry>& fstab, std::string_view path) {
  const MountEntry* found = nullptr;
  for (const MountEntry& entry : fstab) {
    if (is_within(entry.mount_point, path) &&
        (found == nullptr || entry.mount_point.size() >= found->mount_point.size())) {
      found = &entry;
    }
  }
  return found;
}

}  // namespace kd
