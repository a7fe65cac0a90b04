// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "builder/base/digest.h"
#include "cpio/archive.h"

namespace cpio {
namespace {

using kd::ErrorKind;
using kd::fail;
using kd::Result;

constexpr std::size_t kPathMax = 4095;  // the kernel skips longer names and targets silently
constexpr std::size_t kNameMax = 255;

struct Link {
  std::uint32_t inode = 0;
  std::uint32_t count = 1;
  bool stores_data = true;
};

Result<void> check_path(std::string_view path) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::kFailed, "cpio: cannot archive \"{}\": {}", path, why);
  };
  if (path.empty() || path.size() > kPathMax) return refuse("a path has 1 to 4095 bytes");
  if (path.find('\0') != path.npos) return refuse("the path has a NUL byte");
  if (path == "TRAILER!!!") return refuse("this name ends an archive");
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view name = path.substr(start, end - start);
    if (name.empty() || name == "." || name == "..") {
      return refuse("a path is relative, without empty, \".\" or \"..\" components");
    }
    if (name.size() > kNameMax) return refuse("a component has more than 255 bytes");
    start = end + 1;
  }
  return {};
}

Result<void> check_entry(const Entry& entry) {
  KD_CHECK(check_path(entry.path));
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::kFailed, "cpio: cannot archive \"{}\": {}", entry.path, why);
  };
  if ((entry.mode & ~std::uint32_t{S_IFMT | 07777}) != 0) return refuse("the mode is invalid");
  switch (entry.mode & S_IFMT) {
    case S_IFREG:
      if (entry.data.size() > std::numeric_limits<std::uint32_t>::max()) {
        return refuse("newc holds files of less than 4 GiB");
      }
      return {};
    case S_IFLNK:
      if (entry.data.empty() || entry.data.size() > kPathMax ||
          entry.data.find('\0') != entry.data.npos) {
        return refuse("a link target has 1 to 4095 bytes and no NUL");
      }
      return {};
    case S_IFDIR:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      if (!entry.data.empty()) return refuse("only files and symbolic links have data");
      return {};
    default:
      return refuse("the mode has no file type");
  }
}

// Every entry in the order of the archive; `parents` holds the directories nobody has named.
struct Tree {
  std::vector<const Entry*> entries;
  std::deque<Entry> parents;
};

// Sorted, each path once, every parent a directory that comes before its children.
Result<Tree> complete_tree(std::span<const Entry> entries) {
  Tree tree;
  std::map<std::string, std::uint32_t> modes;
  for (const Entry& entry : entries) {
    KD_CHECK(check_entry(entry));
    if (!modes.emplace(entry.path, entry.mode).second) {
      return fail(ErrorKind::kFailed, "cpio: \"{}\" is in the archive twice", entry.path);
    }
    tree.entries.push_back(&entry);
  }
  for (const Entry& entry : entries) {
    std::string parent = entry.path;
    for (std::size_t slash; (slash = parent.rfind('/')) != parent.npos;) {
      parent.resize(slash);
      const auto [found, added] = modes.emplace(parent, S_IFDIR | 0755);
      if (!S_ISDIR(found->second)) {
        return fail(ErrorKind::kFailed, "cpio: \"{}\" is below \"{}\", which is no directory",
                    entry.path, parent);
      }
      if (!added) break;  // so its own parents are there or will be looked at
      tree.parents.push_back({.path = parent, .mode = S_IFDIR | 0755, .data = {}});
      tree.entries.push_back(&tree.parents.back());
    }
  }
  std::ranges::sort(tree.entries, {},
                    [](const Entry* entry) { return std::string_view(entry->path); });
  return tree;
}

// The last name of a set carries the data: GNU cpio holds back empty names until it has seen the
// data, and the kernel and libarchive link each name to the first and fill it when data come.
std::vector<Link> number_inodes(std::span<const Entry* const> entries) {
  std::vector<Link> links(entries.size());
  std::map<std::pair<std::uint32_t, std::string>, std::vector<std::size_t>> sets;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    links[i].inode = static_cast<std::uint32_t>(i + 1);
    const Entry& entry = *entries[i];
    if (!S_ISREG(entry.mode) || entry.data.empty()) continue;
    std::vector<std::size_t>& set = sets[{entry.mode, kd::digest(entry.data)}];
    // Equal digests of different bytes: such a file stays alone.
    if (set.empty() || entries[set.front()]->data == entry.data) set.push_back(i);
  }
  for (const auto& [key, set] : sets) {
    for (const std::size_t member : set) {
      links[member] = Link{.inode = links[set.front()].inode,
                           .count = static_cast<std::uint32_t>(set.size()),
                           .stores_data = member == set.back()};
    }
  }
  return links;
}

using Writer = std::unique_ptr<struct archive, int (*)(struct archive*)>;

la_ssize_t append(struct archive*, void* out, const void* data, std::size_t size) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

tl::unexpected<kd::Error> writer_error(const Writer& writer, std::string_view path) {
  const char* text = archive_error_string(writer.get());
  return fail(ErrorKind::kFailed, "cpio: cannot archive \"{}\": {}", path,
              text == nullptr ? "libarchive gives no reason" : text);
}

Result<void> write_entry(const Writer& writer, const Entry& entry, const Link& link,
                         std::int64_t mtime) {
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> header(archive_entry_new(),
                                                                        archive_entry_free);
  std::string_view body;
  if (S_ISREG(entry.mode) && link.stores_data) body = entry.data;
  archive_entry_copy_pathname(header.get(), entry.path.c_str());
  archive_entry_set_mode(header.get(), entry.mode);
  archive_entry_set_size(header.get(), static_cast<la_int64_t>(body.size()));
  archive_entry_set_mtime(header.get(), mtime, 0);
  archive_entry_set_ino64(header.get(), link.inode);
  archive_entry_set_nlink(header.get(), link.count);
  if (S_ISLNK(entry.mode)) archive_entry_copy_symlink(header.get(), entry.data.c_str());
  if (S_ISCHR(entry.mode) || S_ISBLK(entry.mode)) {
    archive_entry_set_rdevmajor(header.get(), entry.device_major);
    archive_entry_set_rdevminor(header.get(), entry.device_minor);
  }
  if (archive_write_header(writer.get(), header.get()) != ARCHIVE_OK) {
    return writer_error(writer, entry.path);
  }
  while (!body.empty()) {
    const la_ssize_t written = archive_write_data(writer.get(), body.data(), body.size());
    if (written <= 0) return writer_error(writer, entry.path);
    body.remove_prefix(static_cast<std::size_t>(written));
  }
  if (archive_write_finish_entry(writer.get()) != ARCHIVE_OK) {
    return writer_error(writer, entry.path);
  }
  return {};
}

}  // namespace

Result<std::string> write_archive(std::span<const Entry> entries, std::int64_t mtime) {
  constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max();
  if (mtime < 0 || mtime > kMax) {
    return fail(ErrorKind::kFailed, "cpio: newc has no time {}; it must be 0 to {}", mtime, kMax);
  }
  KD_TRY(const Tree tree, complete_tree(entries));
  const std::vector<Link> links = number_inodes(tree.entries);

  std::string out;
  std::size_t expected = 1024;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Entry& entry = *tree.entries[i];
    expected += 128 + entry.path.size() + (links[i].stores_data ? entry.data.size() : 0);
  }
  out.reserve(expected);
  const Writer writer(archive_write_new(), archive_write_free);
  archive_write_set_format_cpio_newc(writer.get());
  archive_write_set_bytes_per_block(writer.get(), 0);  // neither buffering nor padding to blocks
  if (archive_write_open(writer.get(), &out, nullptr, append, nullptr) != ARCHIVE_OK) {
    return writer_error(writer, "the archive");
  }
  for (std::size_t i = 0; i < links.size(); ++i) {
    KD_CHECK(write_entry(writer, *tree.entries[i], links[i], mtime));
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return writer_error(writer, "TRAILER!!!");
  return out;
}

}  // namespace cpio
