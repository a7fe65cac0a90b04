// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/links.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace kd {

namespace fs = std::filesystem;

Link read_link(const RootedReader& reader, std::string_view path) {
  Link link;
  const fs::path name(path);
  const Result<std::string> directory = reader.host_path(name.parent_path().string());
  if (!directory) return link;
  const fs::path host = fs::path(*directory) / name.filename();
  std::error_code error;
  switch (fs::symlink_status(host, error).type()) {
    case fs::file_type::not_found:
    case fs::file_type::none:
      break;
    case fs::file_type::symlink:
      link.kind = Link::Kind::kSymlink;
      link.text = fs::read_symlink(host, error).string();
      link.target = reader.resolve(path).value_or("");
      break;
    case fs::file_type::directory:
      link.kind = Link::Kind::kDirectory;
      break;
    default:
      link.kind = Link::Kind::kFile;
  }
  return link;
}

LinkState judge_link(const Link& link, const std::vector<std::string>& right) {
  if (link.kind == Link::Kind::kNothing) return LinkState::kMissing;
  if (link.kind != Link::Kind::kSymlink) return LinkState::kInTheWay;
  if (link.target.empty()) return LinkState::kBroken;
  return std::ranges::find(right, link.target) != right.end() ? LinkState::kRight
                                                              : LinkState::kWrong;
}

std::string explain_link(LinkState state, const Link& link, std::string_view wanted) {
  switch (state) {
    case LinkState::kRight:
      return "points to " + link.target;
    case LinkState::kMissing:
      return "does not exist";
    case LinkState::kBroken:
      return fmt::format("points to {}, which does not exist", link.text);
    case LinkState::kWrong:
      return fmt::format("points to {}, not to {}", link.target, wanted);
    case LinkState::kInTheWay:
      break;
  }
  return fmt::format("is a {} and not a link; move it away",
                     link.kind == Link::Kind::kDirectory ? "directory" : "file");
}

Result<void> replace_link(const RootedReader& reader, std::string_view path,
                          std::string_view target) {
  const fs::path name(path);
  KD_TRY(const std::string host, reader.host_path(name.parent_path().string()));
  const Fd directory(::open(host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return fail_errno(errno, host);
  const std::string final_name = name.filename().string();
  const std::string temporary = "." + final_name + ".new";
  ::unlinkat(directory.get(), temporary.c_str(), 0);
  if (::symlinkat(std::string(target).c_str(), directory.get(), temporary.c_str()) != 0) {
    return fail_errno(errno, fmt::format("cannot create {}", path));
  }
  if (::renameat(directory.get(), temporary.c_str(), directory.get(), final_name.c_str()) != 0) {
    const int error = errno;
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    return fail_errno(error, fmt::format("cannot create {}", path));
  }
  // Lost power must not bring a link to the old kernel back after its package was removed.
  if (::fsync(directory.get()) != 0) return fail_errno(errno, host);
  return {};
}

}  // namespace kd
