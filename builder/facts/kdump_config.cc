// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/kdump_config.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "builder/facts/kernel.h"

namespace kd {
namespace {

// Takes variables into fields and keeps the first complaint, so that the list of variables below
// reads as a table.
class Settings {
 public:
  explicit Settings(const ShellVariables& variables) : variables_(variables) {}

  void text(std::string_view name, std::string& field) {
    if (const std::string* value = find(name)) field = *value;
  }

  void number(std::string_view name, int& field, int lowest, int highest) {
    const std::string* value = find(name);
    if (value == nullptr) return;
    int number = 0;
    const char* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, number);
    if (error != std::errc{} || stop != end || number < lowest || number > highest) {
      complain(name, *value, fmt::format("give a number from {} to {}", lowest, highest));
    }
    field = number;
  }

  void number(std::string_view name, std::optional<int>& field, int lowest, int highest) {
    if (find(name) != nullptr) number(name, field.emplace(), lowest, highest);
  }

  void flag(std::string_view name, bool& field) {
    int number = field ? 1 : 0;
    this->number(name, number, 0, 1);
    field = number == 1;
  }

  void choice(std::string_view name, std::string& field,
              std::initializer_list<std::string_view> values) {
    text(name, field);
    if (find(name) == nullptr || std::find(values.begin(), values.end(), field) != values.end()) {
      return;
    }
    complain(name, field, fmt::format("give one of {}", fmt::join(values, ", ")));
  }

  // One of the words, or a release of a kernel: those start with a digit, so that a word with a
  // mistake in it is none.
  void release_or(std::string_view name, std::string& field,
                  std::initializer_list<std::string_view> words) {
    text(name, field);
    if (find(name) == nullptr || std::find(words.begin(), words.end(), field) != words.end())
      return;
    if (is_kernel_version(field) && field.front() >= '0' && field.front() <= '9') return;
    complain(name, field,
             fmt::format("give {} or a version as uname -r prints it", fmt::join(words, ", ")));
  }

  // A path that means the same wherever it is used later.
  void path(std::string_view name, std::string& field) {
    text(name, field);
    if (find(name) == nullptr) return;
    const std::string components = field + "/";
    if (!field.starts_with('/') || components.find("/../") != std::string::npos ||
        field.find('\n') != std::string::npos) {
      complain(name, field, "give an absolute path without \"..\"");
    }
  }

  // Becomes an argument of ssh, mount and the like, so it must not look like an option.
  void host(std::string_view name, std::string& field, std::string_view form, char separator) {
    text(name, field);
    if (find(name) == nullptr) return;
    if (field.starts_with('-') || field.find_first_of(" \t\n") != std::string::npos ||
        (separator != '\0' && field.find(separator) == std::string::npos)) {
      complain(name, field, fmt::format("give {}", form));
    }
  }

  [[nodiscard]] Result<void> result() const {
    return error_.empty() ? Result<void>() : fail(ErrorKind::kUsage, "{}", error_);
  }

 private:
  [[nodiscard]] const std::string* find(std::string_view name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() || found->second.empty() ? nullptr : &found->second;
  }

  void complain(std::string_view name, std::string_view value, std::string_view advice) {
    if (error_.empty()) error_ = fmt::format("{}=\"{}\" is not possible: {}", name, value, advice);
  }

  const ShellVariables& variables_;
  std::string error_;
};

}  // namespace

Result<KdumpConfig> interpret_kdump_config(const ShellVariables& variables) {
  KdumpConfig config;
  config.all = variables;
  Settings settings(variables);
  settings.flag("USE_KDUMP", config.use_kdump);
  settings.path("KDUMP_KERNEL", config.kernel);
  settings.path("KDUMP_INITRD", config.initrd);
  settings.release_or("KDUMP_KERNEL_VERSION", config.kernel_version, {"running", "smallest"});
  settings.path("KDUMP_COREDIR", config.core_dir);
  settings.text("KDUMP_FAIL_CMD", config.fail_command);
  settings.flag("KDUMP_DUMP_DMESG", config.dump_dmesg);
  settings.number("KDUMP_NUM_DUMPS", config.num_dumps, 0, 1'000'000);
  settings.number("KDUMP_TARGET_TIMEOUT", config.target_timeout, 1, kMaxTargetTimeout);
  settings.number("KDUMP_STALL_TIMEOUT", config.stall_timeout, 0, kMaxStallTimeout);
  settings.choice("KDUMP_COMPRESSION", config.compression, {"bzip2", "gzip", "lz4", "xz"});
  settings.text("MAKEDUMP_ARGS", config.makedump_args);
  settings.text("KDUMP_SYSCTL", config.sysctl);
  settings.text("KDUMP_KEXEC_ARGS", config.kexec_args);
  settings.text("KDUMP_CMDLINE", config.cmdline);
  settings.text("KDUMP_CMDLINE_APPEND", config.cmdline_append);
  settings.choice("KDUMP_CMDLINE_PROFILE", config.cmdline_profile, {"tuned", "stock"});
  settings.choice("KDUMP_CAPTURE", config.capture, {"direct", "rootfs"});
  settings.path("KDUMP_LUKS_KEY", config.luks_key);
  settings.choice("HOSTTAG", config.hosttag, {"ip", "hostname"});
  settings.host("SSH", config.ssh, "USER@HOST", '@');
  settings.path("SSH_KEY", config.ssh_key);
  settings.number("SSH_KDUMP_RETRY", config.ssh_retry, 0, 1'000'000);
  settings.host("NFS", config.nfs, "HOST:DIRECTORY", ':');
  settings.number("NFS_TIMEO", config.nfs_timeo, 1, 1'000'000);
  settings.number("NFS_RETRANS", config.nfs_retrans, 0, 1'000'000);
  settings.number("NFS_MOUNT_RETRY", config.nfs_mount_retry, 0, 1'000'000);
  settings.host("FTP", config.ftp, "HOST[:DIRECTORY]", '\0');
  settings.text("FTP_USER", config.ftp_user);
  settings.text("FTP_PASSWORD", config.ftp_password);
  settings.number("FTP_PORT", config.ftp_port, 1, 65535);
  KD_CHECK(settings.result());
  return config;
}

Result<KdumpConfig> read_kdump_config(const FileReader& reader, std::string_view path) {
  Result<std::string> text = reader.read(path);
  if (!text && text.error().system_error != std::errc::no_such_file_or_directory) {
    return tl::unexpected(std::move(text).error());
  }
  KD_TRY(const ShellVariables variables, parse_shell_assignments(text.value_or(""), path));
  Result<KdumpConfig> config = interpret_kdump_config(variables);
  if (!config) return in_context(path, std::move(config).error());
  return config;
}

}  // namespace kd
