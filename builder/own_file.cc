// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/own_file.h"

#include <filesystem>

namespace kd {

Result<std::string> own_file(std::string_view name) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path path = self.parent_path().parent_path() / "lib/kdump-mkinitrd" / name;
  if (!fs::is_regular_file(path, error)) {
    return fail(ErrorKind::kFailed, "{} is missing; reinstall kdump-mkinitrd", path.string());
  }
  return path.string();
}

}  // namespace kd
